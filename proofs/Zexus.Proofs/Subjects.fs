/// What totality is proved of: every rule of the instruction set and the library, each with the scenes that lead to it. Values are left
/// open; collections are unknown, and also of small known shapes with open elements, so that what looks into them is seen.
module Zexus.Proofs.Subjects

open System
open Zexus.Isa
open Zexus.Spec
open Zexus.Proofs.Scenes

type Subject = {
    /// As Branches.fs has it.
    Rule: string
    /// The opcode's mnemonic; "" of what is no opcode's own.
    Mnemonic: string
    Scenes: Scene list
}

let private name n = Operand.Name n
let private number n = Operand.Number n
let private constant data = Operand.Constant data

let private push data =
    Do(Opcode.LOAD_CONST, [ constant data ])

let private whole n = push (Data.Int n)
let private text s = push (Data.String s)
let private build opcode count = Do(opcode, [ number count ])
let private loadName n = Do(Opcode.LOAD_NAME, [ name n ])

let private makeFunction n f =
    Do(Opcode.STORE_FUNC, [ name n; Operand.Function f ])

let private func name parameters lines : FunctionText = {
    Name = name
    Parameters = parameters
    Locals = []
    Captures = []
    Lines = lines
}

let private returns = [ Do(Opcode.RETURN, []); Do(Opcode.RETURN, []) ]

/// What every scene starts with.
let private setUp = makeFunction KnownFunction KnownFunction

let private sceneOf title (functions: FunctionText list) =
    let main = functions.Head

    {
        Title = title
        Functions =
            {
                main with
                    Lines = setUp :: main.Lines
            }
            :: functions.Tail
        Limits = Limits.Default
        HasHost = false
    }

/// The lines, then the instruction.
let private scene title lines subject =
    sceneOf title [ func "main" [] (lines @ [ Subject subject ] @ returns) ]

let private withLimits change (s: Scene) = { s with Limits = change s.Limits }
let private shallow = withLimits (fun limits -> { limits with Nesting = 1 })

let private withDepth depth =
    withLimits (fun limits -> { limits with CallDepth = depth })

let private withHost (s: Scene) = { s with HasHost = true }

/// Under a handler, with a transaction begun since or not.
let private handled inTransaction (s: Scene) =
    let main = s.Functions.Head

    let guard = [
        Do(Opcode.SETUP_TRY, [ Operand.Last ])
        if inTransaction then
            Do(Opcode.TX_BEGIN, [])
    ]

    {
        s with
            Title =
                s.Title
                + (if inTransaction then
                       ", handler and transaction"
                   else
                       ", handler")
            Functions =
                {
                    main with
                        Lines = main.Lines.Head :: guard @ main.Lines.Tail
                }
                :: s.Functions.Tail
    }

// Operands.

type private Form = { What: string; Lines: Line list }

let private form what lines = { What = what; Lines = lines }
let private unknown p = form "unknown" [ Open p ]
let private letters = [ "a"; "b"; "c" ]
let private knownFunction = form "Function" [ loadName KnownFunction ]
let private known what data = form what [ push data ]

let private words = known "\"abc\"" (Data.String "abc")
let private emptyList = form "empty List" [ build Opcode.BUILD_LIST 0 ]

let private list1 p =
    form "List of 1" [ Open(p + "0"); build Opcode.BUILD_LIST 1 ]

let private list2 p =
    form "List of 2" [ Open(p + "0"); whole 1I; build Opcode.BUILD_LIST 2 ]

let private nested p =
    form "List in a List" [ Open(p + "0"); build Opcode.BUILD_LIST 1; build Opcode.BUILD_LIST 1 ]

let private emptyMap = form "empty Map" [ build Opcode.BUILD_MAP 0 ]

let private map1 p =
    form "Map of 1" [ text "k"; Open(p + "0"); build Opcode.BUILD_MAP 1 ]

let private map2 p =
    form "Map of 2" [ text "k"; Open(p + "0"); text "l"; whole 2I; build Opcode.BUILD_MAP 2 ]

let private mapOfInt p =
    form "Map by Int" [ whole 1I; Open(p + "0"); build Opcode.BUILD_MAP 1 ]

let private mapOfMixed p =
    form "Map by Int and String" [ whole 1I; Open(p + "0"); text "k"; whole 2I; build Opcode.BUILD_MAP 2 ]

let private mapInMap p =
    form "Map in a Map" [
        text "k"
        text "k"
        Open(p + "0")
        build Opcode.BUILD_MAP 1
        build Opcode.BUILD_MAP 1
    ]

let private stamped p =
    form "Map with a timestamp" [ text "timestamp"; Open(p + "0"); build Opcode.BUILD_MAP 1 ]

let private emptySet = form "empty Set" [ build Opcode.BUILD_SET 0 ]
let private set1 = form "Set of 1" [ text "k"; build Opcode.BUILD_SET 1 ]
let private set2 = form "Set of 2" [ whole 1I; text "k"; build Opcode.BUILD_SET 2 ]

let private lists p = [ emptyList; list1 p; list2 p; nested p ]
let private maps p = [ emptyMap; map1 p; map2 p; mapOfInt p; mapOfMixed p; stamped p ]
let private sets = [ emptySet; set1; set2 ]

let private shapes p =
    lists p @ maps p @ sets @ [ knownFunction ]

let private title (forms: Form list) =
    "[" + String.Join("; ", forms |> List.map _.What) + "]"

let private onForms subject (forms: Form list) =
    scene (title forms) (forms |> List.collect _.Lines) subject

/// The deepest that may be gone into is one level.
let private onShallow subject forms =
    onForms subject forms
    |> shallow
    |> fun s -> {
        s with
            Title = s.Title + ", nesting 1"
    }

let private bothWays subject forms =
    let s = onForms subject forms
    [ s; handled false s; handled true s ]

let private noOperand subject = bothWays subject []

let private one subject = [
    yield! bothWays subject [ unknown "a" ]
    for shape in shapes "a" do
        onForms subject [ shape ]
    for shape in [ nested "a"; mapInMap "a" ] do
        onShallow subject [ shape ]
]

let private keys = [
    known "\"k\"" (Data.String "k")
    known "\"z\"" (Data.String "z")
    known "0" (Data.Int 0I)
    known "-1" (Data.Int -1I)
    known "5" (Data.Int 5I)
    known "true" (Data.Bool true)
    known "1.5" (Data.Float 1.5)
    known "NaN" (Data.Float Numbers.nan)
]

let private two subject = [
    yield! bothWays subject [ unknown "a"; unknown "b" ]
    scene "[unknown twice]" [ Open "a"; Do(Opcode.DUP, []) ] subject
    for shape in shapes "a" do
        onForms subject [ shape; unknown "b" ]
    for shape in shapes "b" do
        onForms subject [ unknown "a"; shape ]
    for left, right in
        [
            emptyList, list1 "b"
            list1 "a", emptyList
            list1 "a", list1 "b"
            list2 "a", list2 "b"
            nested "a", nested "b"
            emptyMap, map1 "b"
            map1 "a", map1 "b"
            map1 "a", mapOfInt "b"
            map2 "a", map2 "b"
            set1, set1
            set1, set2
            set1, form "other Set of 1" [ text "z"; build Opcode.BUILD_SET 1 ]
            knownFunction, knownFunction
        ] do
        onForms subject [ left; right ]
    for left, right in [ nested "a", nested "b"; mapInMap "a", mapInMap "b"; nested "a", words ] do
        onShallow subject [ left; right ]
]

/// A target and what is looked for in it.
let private looking subject = [
    yield! two subject
    for target in [ list1 "a"; list2 "a"; map1 "a"; mapOfInt "a"; set1; emptyList; words ] do
        for key in keys do
            onForms subject [ target; key ]
]

let private three subject = [
    yield! bothWays subject [ unknown "a"; unknown "b"; unknown "c" ]
    for shape in [ emptyList; list2 "a"; map1 "a"; set1; knownFunction; words ] do
        onForms subject [ shape; unknown "b"; unknown "c" ]
    for first in [ known "null" Data.Null; known "0" (Data.Int 0I); known "-1" (Data.Int -1I) ] do
        for target in [ list2 "a"; words ] do
            onForms subject [ target; first; known "1" (Data.Int 1I) ]
    onForms subject [ words; words; words ]
    onForms subject [ known "\"valid\"" (Data.String "valid"); words; words ]
    onForms subject [ words; unknown "b"; words ]
]

let private counted subject = [
    for n in 0..2 do
        onForms (subject n) (letters |> List.truncate n |> List.map unknown)
    handled false (onForms (subject 2) [ unknown "a"; unknown "b" ])
]

// Registers.

/// The registers of an instruction: equal and different ones.
let private registers opcode sources =
    let places =
        match sources with
        | 1 -> [ [ 0; 1 ]; [ 1; 1 ] ]
        | _ -> [ [ 0; 1; 2 ]; [ 1; 1; 2 ]; [ 2; 1; 2 ]; [ 0; 1; 1 ]; [ 1; 1; 1 ] ]

    let fill (forms: Form list) (sources: int list) =
        List.zip sources forms
        |> List.collect (fun (r, form) -> form.Lines @ [ Do(Opcode.POP_REG, [ number r ]) ])

    let symbols = [ "a"; "b" ]

    [
        for place in places do
            let read = List.distinct place.Tail

            scene
                ("registers " + String.Join(" ", place))
                (fill
                    [
                        for symbol in List.truncate read.Length symbols do
                            unknown symbol
                    ]
                    read)
                (opcode, place |> List.map number)
        let place = places.Head

        let shaped =
            match sources with
            | 1 -> [
                for shape in shapes "a" do
                    [ shape ]
              ]
            | _ -> [
                for shape in shapes "a" do
                    [ shape; unknown "b" ]
                for shape in lists "b" do
                    [ unknown "a"; shape ]
                [ list1 "a"; list1 "b" ]
                [ map1 "a"; map1 "b" ]
                [ set1; set1 ]
              ]

        for forms in shaped do
            scene (title forms + " in registers") (fill forms place.Tail) (opcode, place |> List.map number)

        let deep = List.truncate sources [ nested "a"; nested "b" ]

        shallow (
            scene (title deep + " in registers, nesting 1") (fill deep place.Tail) (opcode, place |> List.map number)
        )
    ]

// Names.

/// A variable `x` of each place, before the lines of its function.
let private inPlaces what (before: Line list) (lines: Line list) subject = [
    let body = lines @ [ Subject subject ] @ returns
    let main = func "main" [] (before @ body)
    sceneOf ("own" + what) [ { main with Locals = [ "x" ] } ]

    let holder = {
        func "holder" [] [] with
            Captures = [ "x" ]
    }

    sceneOf ("captured" + what) [
        {
            main with
                Locals = [ "x" ]
                Lines = makeFunction "holder" "holder" :: main.Lines
        }
        holder
    ]

    sceneOf ("a caller's" + what) [
        {
            func "main" [] (before @ [ Do(Opcode.CALL_FUNC_CONST, [ Operand.Function "inner" ]) ] @ returns) with
                Locals = [ "x" ]
        }
        {
            func "inner" [] body with
                Captures = [ "x" ]
        }
    ]

    sceneOf ("global" + what) [ main ]
]

let private storeX = [ Open "x"; Do(Opcode.STORE_NAME, [ name "x" ]) ]

let private named before lines subject = [
    let scenes = inPlaces "" before lines subject
    yield! scenes
    handled false scenes.Head
]

/// A function that captures, and its twin that does not, under a name of each place.
let private making subject = [
    for captures in [ []; [ "y" ] ] do
        let made = {
            func "made" [] [] with
                Captures = captures
        }

        for s in inPlaces $", {captures.Length} captured" storeX [] subject do
            {
                s with
                    Functions =
                        (s.Functions
                         |> List.map (fun f ->
                             if List.exists (fun line -> line = Subject subject) f.Lines then
                                 { f with Locals = f.Locals @ captures }
                             else
                                 f))
                        @ [ made ]
            }
]

let private scalar = constant (Data.Int 1I)
let private collection = constant (Data.List [| Data.Int 1I; Data.Map [||] |])

// Calls.

let private arguments n = [
    for i in 0 .. n - 1 do
        unknown letters[i]
]

let private onArguments n subject before =
    scene $"{n} arguments" (before @ (arguments n |> List.collect _.Lines)) subject

let private retitle what (s: Scene) = { s with Title = what + ", " + s.Title }

let private shallowCalls (s: Scene) = [ s; s |> withDepth 1 |> retitle "call depth 1" ]

/// Builtins and host functions by their name.
let private byName opcode = [
    for n in 0..2 do
        for callee in [ "len"; "str"; "nothing" ] do
            onArguments n (opcode, [ name callee; number n ]) [] |> retitle callee

        for callee in [ "answer"; "refuse" ] do
            let s =
                onArguments n (opcode, [ name callee; number n ]) [] |> withHost |> retitle callee

            s
            handled true s
    for shape in [ nested "a"; knownFunction; map1 "a"; set1 ] do
        onShallow (opcode, [ name "answer"; number 1 ]) [ shape ] |> withHost
]

let private callName = [
    for n in 0..2 do
        for place in
            inPlaces
                $", {n} arguments"
                storeX
                (arguments n |> List.collect _.Lines)
                (Opcode.CALL_NAME, [ name "x"; number n ]) do
            place

        yield!
            onArguments n (Opcode.CALL_NAME, [ name KnownFunction; number n ]) []
            |> retitle "Function"
            |> shallowCalls
    yield! byName Opcode.CALL_NAME
]

let private callTop = [
    for n in 0..2 do
        onArguments n (Opcode.CALL_TOP, [ number n ]) [ Open "f" ]

        yield!
            onArguments n (Opcode.CALL_TOP, [ number n ]) [ loadName KnownFunction ]
            |> retitle "Function"
            |> shallowCalls
    handled true (onArguments 1 (Opcode.CALL_TOP, [ number 1 ]) [ Open "f" ])
]

let private callConstant = [
    for n in 0..2 do
        yield!
            onArguments n (Opcode.CALL_FUNC_CONST, [ Operand.Function KnownFunction; number n ]) []
            |> shallowCalls
    yield!
        sceneOf "captured" [
            {
                func "main" [] [
                    Subject(Opcode.CALL_FUNC_CONST, [ Operand.Function "inner" ])
                    yield! returns
                ] with
                    Locals = [ "x" ]
            }
            {
                func "inner" [] [] with
                    Captures = [ "x" ]
            }
        ]
        |> shallowCalls
]

/// The frame whose code the instruction ends: the first, a called one, and one that each routine or event has called.
let private leaving (ends: Line list -> Line list) =
    let call method (arguments: Line list) count (elements: Form) body =
        sceneOf (method + " on " + elements.What) [
            func
                "main"
                []
                (makeFunction "f" "f" :: elements.Lines
                 @ [ loadName "f" ]
                 @ arguments
                 @ [ Do(Opcode.CALL_METHOD, [ name method; number count ]) ]
                 @ returns)
            func "f" [ "p"; "q" ] (ends body)
        ]

    let event rest =
        sceneOf $"event, then {rest}" [
            func
                "main"
                []
                ([ makeFunction "f" "f"; Open "g"; Do(Opcode.STORE_NAME, [ name "g" ]) ]
                 @ [
                     for handler in "f" :: rest do
                         Do(Opcode.REGISTER_EVENT, [ name "e"; name handler ])
                 ]
                 @ [ text "payload"; Do(Opcode.EMIT_EVENT, [ name "e" ]) ]
                 @ returns)
            func "f" [ "p" ] (ends [ Open "v" ])
        ]

    [
        for body in [ []; [ Open "v" ] ] do
            sceneOf $"first, {body.Length} values" [ func "main" [] (ends body) ]

            sceneOf $"called, {body.Length} values" [
                func "main" [] (Do(Opcode.CALL_FUNC_CONST, [ Operand.Function "f" ]) :: returns)
                func "f" [] (ends body)
            ]
        for elements in [ list1 "a"; list2 "a" ] do
            for method in [ "map"; "filter" ] do
                call method [] 1 elements [ Open "v" ]

            call "reduce" [ Open "i" ] 2 elements [ Open "v" ]
        for elements in
            [
                list2 "a"
                form "List of 3" [ Open "a0"; whole 1I; whole 2I; build Opcode.BUILD_LIST 3 ]
            ] do
            call "sort" [] 1 elements [ Open "v" ]
        for rest in [ []; [ KnownFunction ]; [ "g" ]; [ "len" ]; [ "nothing" ]; [ "len"; "len" ] ] do
            event rest
        for rest in [ [ "answer" ]; [ "refuse" ] ] do
            withHost (event rest)
    ]

let private returning = leaving (fun body -> body @ [ Subject(Opcode.RETURN, []) ])

/// No subject: the end of the code.
let private ending = leaving id

// Events and the world.

let private register handler =
    Do(Opcode.REGISTER_EVENT, [ name "e"; name handler ])

let private emitting = [
    let subject = Opcode.EMIT_EVENT, [ name "e" ]
    yield! one subject

    for handlers in
        [
            [ KnownFunction ]
            [ "g" ]
            [ "len" ]
            [ "nothing" ]
            [ "len"; "len" ]
            [ "len"; "nothing" ]
            [ KnownFunction; "len" ]
        ] do
        let before =
            [ Open "g"; Do(Opcode.STORE_NAME, [ name "g" ]) ] @ List.map register handlers

        let s = scene (String.Join(", ", handlers)) (before @ [ whole 1I ]) subject
        s
        handled true s

        for depth in [ 1; 2 ] do
            s |> withDepth depth |> retitle $"call depth {depth}"

    for host in [ "answer"; "refuse" ] do
        scene host [ register host; whole 1I ] subject |> withHost
]

let private inTransactions subject = [
    for n in 0..3 do
        scene $"{n} open transactions" (List.replicate n (Do(Opcode.TX_BEGIN, []))) subject
    handled true (scene "open transaction" [] subject)
]

let private write key = [ text key; whole 1I; Do(Opcode.STATE_WRITE, []) ]

let private reading subject = [
    yield! one subject
    scene "present" (write "k" @ [ text "k" ]) subject
    scene
        "a collection"
        ([
            text "k"
            text "l"
            whole 1I
            build Opcode.BUILD_MAP 1
            Do(Opcode.STATE_WRITE, [])
         ]
         @ [ text "k" ])
        subject
    scene "missing" (write "k" @ [ text "l" ]) subject
    scene "long key" [ text "a key of many scalars" ] subject
]

let private writing subject = [
    yield! two subject
    for shape in unknown "a" :: shapes "a" do
        onForms subject [ known "\"k\"" (Data.String "k"); shape ]
    onShallow subject [ known "\"k\"" (Data.String "k"); nested "a" ]
    scene "in a transaction" [ Do(Opcode.TX_BEGIN, []); text "k"; Open "a" ] subject
]

let private scenesOf (opcode: Opcode) : Scene list =
    match opcode with
    | Opcode.LOAD_CONST -> noOperand (opcode, [ scalar ]) @ noOperand (opcode, [ collection ])
    | Opcode.LOAD_NAME -> named storeX [] (opcode, [ name "x" ]) @ noOperand (opcode, [ name "never stored" ])
    | Opcode.STORE_NAME -> named storeX [ Open "a" ] (opcode, [ name "x" ])
    | Opcode.STORE_FUNC -> making (opcode, [ name "x"; Operand.Function "made" ])
    | Opcode.STORE_CONST -> [
        for data in [ scalar; collection ] do
            yield! named storeX [] (opcode, [ name "x"; data ])
      ]
    | Opcode.POP
    | Opcode.DUP -> one (opcode, [])
    | Opcode.INC
    | Opcode.DEC
    | Opcode.NEG
    | Opcode.NOT
    | Opcode.PRINT
    | Opcode.GET_LENGTH
    | Opcode.HASH_BLOCK
    | Opcode.LEDGER_APPEND
    | Opcode.THROW -> one (opcode, [])
    | Opcode.ADD
    | Opcode.SUB
    | Opcode.MUL
    | Opcode.DIV
    | Opcode.MOD
    | Opcode.POW
    | Opcode.EQ
    | Opcode.NEQ
    | Opcode.LT
    | Opcode.GT
    | Opcode.LTE
    | Opcode.GTE
    | Opcode.AND
    | Opcode.OR
    | Opcode.REQUIRE
    | Opcode.AUDIT_LOG -> two (opcode, [])
    | Opcode.JUMP -> noOperand (opcode, [ Operand.Next ])
    | Opcode.JUMP_IF_FALSE
    | Opcode.JUMP_IF_TRUE -> one (opcode, [ Operand.Next ])
    | Opcode.RETURN -> returning
    | Opcode.CALL_NAME -> callName
    | Opcode.CALL_BUILTIN -> byName opcode
    | Opcode.CALL_FUNC_CONST -> callConstant
    | Opcode.CALL_TOP -> callTop
    | Opcode.CALL_METHOD -> [
        for n in 0..1 do
            for method in [ "len"; "contains"; "has"; "nothing" ] do
                onArguments n (opcode, [ name method; number n ]) [ Open "t" ] |> retitle method
        handled true (onArguments 0 (opcode, [ name "nothing"; number 0 ]) [ Open "t" ])
      ]
    | Opcode.BUILD_LIST
    | Opcode.BUILD_SET
    | Opcode.MERKLE_ROOT -> [
        let subject n = opcode, [ number n ]
        yield! counted subject

        for shape in shapes "a" do
            onForms (subject 1) [ shape ]

        for key in keys do
            onForms (subject 1) [ key ]
            onForms (subject 2) [ key; known "\"k\"" (Data.String "k") ]

        onShallow (subject 1) [ nested "a" ]
      ]
    | Opcode.BUILD_MAP -> [
        let subject n = opcode, [ number n ]
        onForms (subject 0) []
        yield! bothWays (subject 1) [ unknown "a"; unknown "b" ]

        for key in keys do
            onForms (subject 1) [ key; unknown "b" ]
            onForms (subject 2) [ key; unknown "b"; known "\"k\"" (Data.String "k"); unknown "c" ]
      ]
    | Opcode.INDEX
    | Opcode.GET_ATTR -> looking (opcode, [])
    | Opcode.FOR_ITER -> looking (opcode, [ number 1 ]) @ looking (opcode, [ number 2 ])
    | Opcode.SLICE
    | Opcode.VERIFY_SIGNATURE -> three (opcode, [])
    | Opcode.REGISTER_EVENT -> [
        let subject = opcode, [ name "e"; name "h" ]
        yield! noOperand subject
        scene "present" [ register "h" ] subject
        scene "another" [ register "g" ] subject
      ]
    | Opcode.EMIT_EVENT -> emitting
    | Opcode.STATE_READ -> reading (opcode, [])
    | Opcode.STATE_WRITE -> writing (opcode, [])
    | Opcode.TX_BEGIN
    | Opcode.TX_COMMIT
    | Opcode.TX_REVERT -> inTransactions (opcode, [])
    | Opcode.GAS_CHARGE -> [
        for amount in [ 0; 1; 1_000_000 ] do
            yield! noOperand (opcode, [ number amount ])
      ]
    | Opcode.SETUP_TRY -> [
        scene "" [] (opcode, [ Operand.Last ])
        handled true (scene "" [] (opcode, [ Operand.Last ]))
      ]
    | Opcode.POP_TRY -> noOperand (opcode, [])
    | Opcode.LOAD_REG -> [
        for data in [ scalar; collection ] do
            yield! noOperand (opcode, [ number 0; data ])
      ]
    | Opcode.LOAD_VAR_REG -> named storeX [] (opcode, [ number 0; name "x" ])
    | Opcode.STORE_REG ->
        named (storeX @ [ Open "a"; Do(Opcode.POP_REG, [ number 0 ]) ]) [] (opcode, [ number 0; name "x" ])
    | Opcode.MOV_REG
    | Opcode.NEG_REG
    | Opcode.NOT_REG -> registers opcode 1
    | Opcode.ADD_REG
    | Opcode.SUB_REG
    | Opcode.MUL_REG
    | Opcode.DIV_REG
    | Opcode.MOD_REG
    | Opcode.POW_REG
    | Opcode.EQ_REG
    | Opcode.NEQ_REG
    | Opcode.LT_REG
    | Opcode.GT_REG
    | Opcode.LTE_REG
    | Opcode.GTE_REG
    | Opcode.AND_REG
    | Opcode.OR_REG -> registers opcode 2
    | Opcode.PUSH_REG -> [
        scene "never set" [] (opcode, [ number 3 ])
        scene "unknown" [ Open "a"; Do(Opcode.POP_REG, [ number 3 ]) ] (opcode, [ number 3 ])
      ]
    | Opcode.POP_REG -> one (opcode, [ number 3 ])
    | Opcode.NOP -> noOperand (opcode, [])
    | Opcode.SPAWN
    | Opcode.AWAIT
    | Opcode.SPAWN_CALL
    | Opcode.FORK_EXECUTION
    | Opcode.JOIN_WORKERS
    | Opcode.PARALLEL_MAP
    | Opcode.BARRIER_SYNC
    | Opcode.SHARED_READ
    | Opcode.SHARED_WRITE -> []

// The library.

let private targets (receiver: Receiver) : Form list =
    match receiver with
    | Receiver.Nothing -> []
    | Receiver.String -> [ words; known "\"\"" (Data.String "") ]
    | Receiver.List -> emptyList :: list1 "t" :: list2 "t" :: [ nested "t" ]
    | Receiver.Map -> [ emptyMap; map1 "t"; map2 "t" ]
    | Receiver.Set -> [ emptySet; set1; set2 ]

let private argumentForms =
    keys @ [ knownFunction; emptyList; list1 "a"; known "\"\"" (Data.String "") ]

let private depths (s: Scene) = [
    s
    for depth in [ 1; 2 ] do
        s |> withDepth depth |> retitle $"call depth {depth}"
]

let private ofRoutine (info: RoutineInfo) : Scene list =
    let opcode =
        match info.Receiver with
        | Receiver.Nothing -> Opcode.CALL_BUILTIN
        | Receiver.String
        | Receiver.List
        | Receiver.Map
        | Receiver.Set -> Opcode.CALL_METHOD

    let subject n =
        opcode, [ name info.Names[0]; number n ]

    let most = info.Parameters.Length

    // Of a method: the target itself unknown, and of each shape.
    let withTargets (forms: Form list) = [
        match info.Receiver with
        | Receiver.Nothing -> onForms (subject forms.Length) forms
        | Receiver.String
        | Receiver.List
        | Receiver.Map
        | Receiver.Set ->
            onForms (subject forms.Length) (unknown "t" :: forms)

            for target in targets info.Receiver do
                onForms (subject forms.Length) (target :: forms)
    ]

    [
        for n in 0 .. min 2 (most + 1) do
            for s in withTargets (arguments n) do
                s
        for s in withTargets (arguments (min 2 most)) |> List.truncate 1 do
            handled true s
        if most > 0 then
            for first in argumentForms do
                for s in withTargets (first :: (if most > 1 then [ unknown "b" ] else [])) do
                    yield! (if first = knownFunction then depths s else [ s ])
        match info.Receiver with
        | Receiver.Nothing ->
            if most > 0 then
                for first in shapes "a" do
                    for n in 1 .. min 2 most do
                        onForms
                            (subject n)
                            (first
                             :: [
                                 for _ in 2..n do
                                     unknown "b"
                             ])

                for first in [ nested "a"; mapInMap "a" ] do
                    onShallow (subject 1) [ first ]
        | Receiver.String
        | Receiver.List
        | Receiver.Map
        | Receiver.Set ->
            let deep =
                form "List in Lists" [ whole 1I; build Opcode.BUILD_LIST 1; build Opcode.BUILD_LIST 1 ]

            for n in 0 .. min 1 most do
                for target in [ nested "t"; form "List of such" (nested "t").Lines ] do
                    onShallow
                        (subject n)
                        (target
                         :: [
                             for _ in 1..n do
                                 deep
                         ])
    ]

/// Where a rule goes on when a call that it made returns.
let private resuming (rule: string) : Scene list =
    let called prefix =
        returning |> List.filter (fun s -> s.Title.StartsWith(prefix, StringComparison.Ordinal))

    match rule with
    | "event/emit" -> called "event,"
    | "list/map" -> called "map "
    | "list/filter" -> called "filter "
    | "list/reduce" -> called "reduce "
    | "list/sort" -> called "sort "
    | _ -> []

// The whole.

let private unspecifiedOpcodes (info: OpcodeInfo) =
    match info.Status with
    | Status.Specified -> false
    | Status.NotYetSpecified -> true

/// Opcodes that have no rule yet, by name: nothing is proved of them.
let withoutRule: string list = [
    for info in InstructionSet.Rows do
        if unspecifiedOpcodes info then
            info.Mnemonic
]

/// The rules of opcodes and the end of the code, of builtins and methods, then the parts that rules share, each by opcodes that use it.
let all: Subject list = [
    for info in InstructionSet.Rows do
        if not (unspecifiedOpcodes info) then
            {
                Rule = info.Rule
                Mnemonic = info.Mnemonic
                Scenes = scenesOf info.Opcode @ resuming info.Rule
            }
    {
        Rule = Machine.EndRule
        Mnemonic = ""
        Scenes = ending
    }
    for info in Library.Rows do
        {
            Rule = info.Rule
            Mnemonic = ""
            Scenes = ofRoutine info @ resuming info.Rule
        }
    for part, users in
        [
            "control/catch", [ Opcode.THROW ]
            "call/host", [ Opcode.CALL_BUILTIN ]
            "equal", [ Opcode.EQ ]
            "order", [ Opcode.LT ]
            "display", [ Opcode.PRINT ]
            "plain", [ Opcode.STATE_WRITE ]
            "canonical", [ Opcode.HASH_BLOCK ]
        ] do
        {
            Rule = part
            Mnemonic = ""
            Scenes = users |> List.collect scenesOf
        }
]
