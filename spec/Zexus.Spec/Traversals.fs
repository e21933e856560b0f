/// Equality, ordering, display, copying and the canonical text: the walks that charge node by node. docs/semantics.md, section 4.
module Zexus.Spec.Traversals

open System.Collections.Immutable
open System.Security.Cryptography
open Zexus.Isa

// What an address leads to. Addresses are made with their cells, so a List's leads to a List.

let private wrongCell (wanted: string) =
    invalidOp ("The address of a " + wanted + " leads to another kind of cell.")

/// The elements of a List. From an F# list itself, CreateRange would look for each element from the front.
let elementsOf (items: Value list) : ImmutableList<Value> =
    ImmutableList.CreateRange(List.toArray items)

let itemsOf (operation: string) (address: Address) : Rule<ImmutableList<Value>> =
    rule {
        match! load address with
        | Cell.List items -> return items
        | Cell.Unknown symbol -> return! opaque operation [ Value.Unknown symbol ]
        | Cell.Map _
        | Cell.Set _
        | Cell.Function _
        | Cell.Variable _ -> return wrongCell "List"
    }

/// The entries of a Map, or of a Set.
let entriesOf (operation: string) (address: Address) : Rule<Entries> =
    rule {
        match! load address with
        | Cell.Map entries
        | Cell.Set entries -> return entries
        | Cell.Unknown symbol -> return! opaque operation [ Value.Unknown symbol ]
        | Cell.List _
        | Cell.Function _
        | Cell.Variable _ -> return wrongCell "Map or Set"
    }

/// How many elements or entries.
let countOf (address: Address) : Rule<Int> =
    rule {
        match! load address with
        | Cell.List items -> return Int.ofInt items.Count
        | Cell.Map entries
        | Cell.Set entries -> return Int.ofInt (Entries.count entries)
        | Cell.Unknown symbol -> return Unknown.count symbol
        | Cell.Function _
        | Cell.Variable _ -> return wrongCell "collection"
    }

let functionOf (operation: string) (address: Address) : Rule<int * Address list> =
    rule {
        match! load address with
        | Cell.Function(index, captures) -> return index, captures
        | Cell.Unknown symbol -> return! opaque operation [ Value.Unknown symbol ]
        | Cell.List _
        | Cell.Map _
        | Cell.Set _
        | Cell.Variable _ -> return wrongCell "Function"
    }

// Keys.

/// The normal form of a key and what looking it up costs. FAULTS TypeMismatch, Domain (NaN).
let keyForm (key: Value) : Rule<Key * int> =
    rule {
        match! kindOf key with
        | Kind.Null -> return Key.Null, 0
        | Kind.Bool b ->
            let! b = knownBool "key" b
            return Key.Whole(if b then 1I else 0I), 0
        | Kind.Int n ->
            let! n = knownInt "key" n
            return Key.Whole n, int (Numbers.size n)
        | Kind.Float x ->
            let! x = knownFloat "key" x

            if System.Double.IsNaN x then
                return! fault Fault.Domain
            elif System.Double.IsInteger x then
                return Key.Whole(bigint x), 0
            else
                return Key.Fraction x, 0
        | Kind.String s ->
            let! s = knownText "key" s
            return Key.Text s, Text.length s / Gas.ScalarsPerUnit
        | Kind.List _
        | Kind.Map _
        | Kind.Set _
        | Kind.Function _ -> return! fault Fault.TypeMismatch
    }

/// A key that an operation looks for: its normal form, charged.
let keyOf (key: Value) : Rule<Key> =
    rule {
        let! form, gas = keyForm key
        do! chargeInt gas
        return form
    }

// Numbers.

[<RequireQualifiedAccess>]
type Number =
    | Int of Int
    | Float of Float

/// Bool, Int and Float.
let private properNumber (kind: Kind) =
    match kind with
    | Kind.Bool b -> Some(Number.Int(Bool.toInt b))
    | Kind.Int n -> Some(Number.Int n)
    | Kind.Float x -> Some(Number.Float x)
    | Kind.Null
    | Kind.String _
    | Kind.List _
    | Kind.Map _
    | Kind.Set _
    | Kind.Function _ -> None

/// As arithmetic and ordering see it: Null is 0.
let numberOf (kind: Kind) =
    match kind with
    | Kind.Null -> Some(Number.Int Int.zero)
    | Kind.Bool _
    | Kind.Int _
    | Kind.Float _
    | Kind.String _
    | Kind.List _
    | Kind.Map _
    | Kind.Set _
    | Kind.Function _ -> properNumber kind

let sizeOf number =
    match number with
    | Number.Int n -> Int.size n
    | Number.Float _ -> Int.zero

/// The charge of most pairs of numbers.
let chargeSizes a b = charge (Int.add (sizeOf a) (sizeOf b))

/// By exact mathematical value; NaN equals nothing.
let private equalNumbers a b =
    let mixed n x =
        Bool.both (Bool.negate (Float.isNaN x)) (Int.equal (Float.compareExact n x) Int.zero)

    match a, b with
    | Number.Int m, Number.Int n -> Int.equal m n
    | Number.Float x, Number.Float y -> Float.equal x y
    | Number.Int n, Number.Float x
    | Number.Float x, Number.Int n -> mixed n x

// Equality.

let private textPairGas a b =
    Int.divBy Gas.ScalarsPerUnit (Int.min (Str.length a) (Str.length b))

let private formOf (entries: Entries) (form: Value) : Rule<Key> =
    rule {
        let! key, gas = keyForm form
        do! chargeInt (Gas.Element + gas)
        return key
    }

let rec private equalAt (depth: int) (a: Value) (b: Value) : Rule<Bool> =
    rule {
        let! kindA = kindOf a
        let! kindB = kindOf b

        match kindA, kindB with
        | (Kind.Bool _ | Kind.Int _ | Kind.Float _), (Kind.Bool _ | Kind.Int _ | Kind.Float _) ->
            match properNumber kindA, properNumber kindB with
            | Some m, Some n ->
                do! branchOf "equal" "numbers"
                do! chargeSizes m n
                return equalNumbers m n
            | None, _
            | _, None -> return Bool.Known false
        | Kind.Null, Kind.Null ->
            do! branchOf "equal" "nulls"
            return Bool.Known true
        | Kind.String s, Kind.String t ->
            do! branchOf "equal" "strings"
            do! charge (textPairGas s t)
            return Str.equal s t
        | Kind.List p, Kind.List q ->
            let! xs = itemsOf "equal" p
            let! ys = itemsOf "equal" q

            if xs.Count <> ys.Count then
                do! branchOf "equal" "lists-of-other-lengths"
                return Bool.Known false
            else
                do! branchOf "equal" "lists"
                do! enter depth

                let! difference =
                    List.zip (List.ofSeq xs) (List.ofSeq ys) |> firstOf (differentPair depth)

                return Bool.Known(Option.isNone difference)
        | Kind.Map p, Kind.Map q ->
            let! xs = entriesOf "equal" p
            let! ys = entriesOf "equal" q

            if Entries.count xs <> Entries.count ys then
                do! branchOf "equal" "maps-of-other-sizes"
                return Bool.Known false
            else
                do! branchOf "equal" "maps"
                do! enter depth
                let! difference = Entries.toList xs |> firstOf (differentEntry depth ys)
                return Bool.Known(Option.isNone difference)
        | Kind.Set p, Kind.Set q ->
            let! xs = entriesOf "equal" p
            let! ys = entriesOf "equal" q

            if Entries.count xs <> Entries.count ys then
                do! branchOf "equal" "sets-of-other-sizes"
                return Bool.Known false
            else
                do! branchOf "equal" "sets"
                do! enter depth
                let! difference = Entries.toList xs |> firstOf (absentElement xs ys)
                return Bool.Known(Option.isNone difference)
        | Kind.Function p, Kind.Function q ->
            do! branchOf "equal" "functions"
            return Bool.Known(p = q)
        | (Kind.Null | Kind.Bool _ | Kind.Int _ | Kind.Float _ | Kind.String _ | Kind.List _ | Kind.Map _ | Kind.Set _ | Kind.Function _),
          _ ->
            do! branchOf "equal" "other-kinds"
            return Bool.Known false
    }

and private differentPair depth (x, y) : Rule<unit option> =
    rule {
        do! chargeInt Gas.Element
        let! same = equalAt (depth + 1) x y
        let! same = decide same
        return if same then None else Some()
    }

and private differentEntry depth ys (key, value) : Rule<unit option> =
    rule {
        let! key = formOf ys key

        match Entries.tryFind key ys with
        | None -> return Some()
        | Some other ->
            let! same = equalAt (depth + 1) value other
            let! same = decide same
            return if same then None else Some()
    }

and private absentElement xs ys (element, _) : Rule<unit option> =
    rule {
        let! key = formOf xs element
        return if Map.containsKey key ys.Index then None else Some()
    }

/// eq(a, b). FAULTS TooDeep.
let equal (a: Value) (b: Value) : Rule<Bool> =
    fun s ->
        match equalAt 0 a b s with
        | [ Outcome.Ok _ ] as known -> known
        | outcomes ->
            let symbolic answer =
                result (Bool.Symbolic(BoolTerm.Apply(answer "is")))

            Unknown.settle "equal" [ a; b ] [ Fault.TooDeep ] symbolic s outcomes

// Ordering.

[<RequireQualifiedAccess>]
type Order =
    | Less
    | Equal
    | Greater
    /// A NaN on either side.
    | Unordered

let private orderOfSign (sign: Int) : Rule<Order> =
    rule {
        let! less = decide (Int.less sign Int.zero)

        if less then
            return Order.Less
        else
            let! equal = decide (Int.equal sign Int.zero)
            return if equal then Order.Equal else Order.Greater
    }

let private flip order =
    match order with
    | Order.Less -> Order.Greater
    | Order.Greater -> Order.Less
    | Order.Equal -> Order.Equal
    | Order.Unordered -> Order.Unordered

let private orderNumbers a b : Rule<Order> =
    let mixed n x =
        rule {
            let! isNaN = decide (Float.isNaN x)

            if isNaN then
                return Order.Unordered
            else
                return! orderOfSign (Float.compareExact n x)
        }

    rule {
        match a, b with
        | Number.Int m, Number.Int n ->
            let! less = decide (Int.less m n)

            if less then
                return Order.Less
            else
                let! equal = decide (Int.equal m n)
                return if equal then Order.Equal else Order.Greater
        | Number.Float x, Number.Float y ->
            let! isNaN = decide (Bool.either (Float.isNaN x) (Float.isNaN y))

            if isNaN then
                return Order.Unordered
            else
                let! less = decide (Float.less x y)

                if less then
                    return Order.Less
                else
                    let! equal = decide (Float.equal x y)
                    return if equal then Order.Equal else Order.Greater
        | Number.Int n, Number.Float x -> return! mixed n x
        | Number.Float x, Number.Int n ->
            let! order = mixed n x
            return flip order
    }

let rec private orderAt (depth: int) (a: Value) (b: Value) : Rule<Order> =
    rule {
        let! kindA = kindOf a
        let! kindB = kindOf b

        match kindA, kindB with
        | (Kind.Null | Kind.Bool _ | Kind.Int _ | Kind.Float _), (Kind.Null | Kind.Bool _ | Kind.Int _ | Kind.Float _) ->
            match numberOf kindA, numberOf kindB with
            | Some m, Some n ->
                do! branchOf "order" "numbers"
                do! chargeSizes m n
                return! orderNumbers m n
            | None, _
            | _, None -> return! fault Fault.TypeMismatch
        | Kind.String s, Kind.String t ->
            do! branchOf "order" "strings"
            do! charge (textPairGas s t)
            return! orderOfSign (Str.compareScalars s t)
        | Kind.List p, Kind.List q ->
            let! xs = itemsOf "order" p
            let! ys = itemsOf "order" q
            do! branchOf "order" "lists"
            do! enter depth
            let shared = min xs.Count ys.Count
            let pairs = [ for i in 0 .. shared - 1 -> xs[i], ys[i] ]
            let! decided = pairs |> firstOf (orderedPair depth)

            match decided with
            | Some order -> return order
            | None -> return! orderOfSign (Int.ofInt (compare xs.Count ys.Count))
        | (Kind.Null | Kind.Bool _ | Kind.Int _ | Kind.Float _ | Kind.String _ | Kind.List _ | Kind.Map _ | Kind.Set _ | Kind.Function _),
          _ -> return! fault Fault.TypeMismatch
    }

and private orderedPair depth (x, y) : Rule<Order option> =
    rule {
        do! chargeInt Gas.Element

        match! orderAt (depth + 1) x y with
        | Order.Equal -> return None
        | Order.Less -> return Some Order.Less
        | Order.Greater -> return Some Order.Greater
        | Order.Unordered -> return Some Order.Unordered
    }

/// compare(a, b). FAULTS TypeMismatch, TooDeep.
let order (a: Value) (b: Value) : Rule<Order> =
    fun s ->
        match orderAt 0 a b s with
        | [ Outcome.Ok _ ] as known -> known
        | outcomes ->
            let symbolic answer =
                rule {
                    let! unordered = decide (Bool.Symbolic(BoolTerm.Apply(answer "unordered")))

                    if unordered then
                        return Order.Unordered
                    else
                        return! orderOfSign (Int.Symbolic(IntTerm.Apply(answer "sign")))
                }

            Unknown.settle "order" [ a; b ] [ Fault.TypeMismatch; Fault.TooDeep ] symbolic s outcomes

// Truth.

let private isZero number =
    match number with
    | Number.Int n -> Int.equal n Int.zero
    | Number.Float x -> Float.equal x (Float.Known 0.0)

/// False are Null, false, 0, 0.0, -0.0, "" and empty collections.
let truth (value: Value) : Rule<Bool> =
    rule {
        match! kindOf value with
        | Kind.Null -> return Bool.Known false
        | Kind.Bool b -> return b
        | Kind.Int n -> return Bool.negate (isZero (Number.Int n))
        | Kind.Float x -> return Bool.negate (isZero (Number.Float x))
        | Kind.String s -> return Bool.negate (Int.equal (Str.length s) Int.zero)
        | Kind.List a
        | Kind.Map a
        | Kind.Set a ->
            match! load a with
            | Cell.List items -> return Bool.Known(items.Count > 0)
            | Cell.Map entries
            | Cell.Set entries -> return Bool.Known(Entries.count entries > 0)
            | Cell.Unknown symbol -> return Int.less Int.zero (Unknown.count symbol)
            | Cell.Function _
            | Cell.Variable _ -> return wrongCell "collection"
        | Kind.Function _ -> return Bool.Known true
    }

// Text that grows piece by piece.

type Emitted = {
    /// Newest first.
    Pieces: Str list
    Length: Int
}

let private nothingEmitted = { Pieces = []; Length = Int.zero }

/// FAULTS StringTooLong.
let private emit (piece: Str) (text: Emitted) : Rule<Emitted> =
    rule {
        let length = Int.add text.Length (Str.length piece)
        do! limitText length

        return {
            Pieces = piece :: text.Pieces
            Length = length
        }
    }

let private emitKnown piece text = emit (Str.Known piece) text

let private isKnown piece =
    match piece with
    | Str.Known _ -> true
    | Str.Symbolic _ -> false

let private joined (text: Emitted) =
    let pieces = List.rev text.Pieces

    if List.forall isKnown pieces then
        let known piece =
            match piece with
            | Str.Known s -> s
            | Str.Symbolic _ -> ""

        Str.Known(System.String.Concat(pieces |> List.map known))
    else
        List.fold Str.concat (Str.Known "") pieces

/// Items with a piece between them.
let private separated
    (separator: Emitted -> Rule<Emitted>)
    (one: Emitted -> 'x -> Rule<Emitted>)
    items
    text
    : Rule<Emitted> =
    List.indexed items
    |> fold
        (fun text (i, item) ->
            rule {
                let! text = if i = 0 then result text else separator text
                return! one text item
            })
        text

let private chargeSquare (n: Int) =
    let size = Int.size n
    charge (Int.mul size size)

// Display.

let rec private displayAt (depth: int) (text: Emitted) (value: Value) : Rule<Emitted> =
    rule {
        match! kindOf value with
        | Kind.Null ->
            do! branchOf "display" "null"
            return! emitKnown "null" text
        | Kind.Bool b ->
            do! branchOf "display" "bool"
            let! b = decide b
            return! emitKnown (if b then "true" else "false") text
        | Kind.Int n ->
            do! branchOf "display" "int"
            do! chargeSquare n
            return! emit (Str.ofInt n) text
        | Kind.Float x ->
            do! branchOf "display" "float"
            return! emit (Str.ofFloat x) text
        | Kind.String s when depth = 0 ->
            do! branchOf "display" "string"
            do! charge (textGas s)
            return! emit s text
        | Kind.String s ->
            do! branchOf "display" "quoted-string"
            do! charge (textGas s)
            return! emit (Str.quoted s) text
        | Kind.List a ->
            let! items = itemsOf "display" a
            do! branchOf "display" "list"
            do! chargeInt items.Count
            do! enter depth
            let! text = emitKnown "[" text

            let! text =
                separated (emitKnown ", ") (displayAt (depth + 1)) (List.ofSeq items) text

            return! emitKnown "]" text
        | Kind.Map a ->
            let! entries = entriesOf "display" a
            do! branchOf "display" "map"
            do! chargeInt (2 * Entries.count entries)
            do! enter depth
            let! text = emitKnown "{" text

            let! text =
                separated (emitKnown ", ") (displayEntry (depth + 1)) (Entries.toList entries) text

            return! emitKnown "}" text
        | Kind.Set a ->
            let! entries = entriesOf "display" a
            do! branchOf "display" "set"
            do! chargeInt (Entries.count entries)
            do! enter depth
            let! text = emitKnown "#{" text

            let! text =
                separated
                    (emitKnown ", ")
                    (fun text (key, _) -> displayAt (depth + 1) text key)
                    (Entries.toList entries)
                    text

            return! emitKnown "}" text
        | Kind.Function a ->
            let! index, _ = functionOf "display" a
            do! branchOf "display" "function"
            let! loaded = read _.Loaded
            return! emitKnown ("<function " + loaded.Functions[index].Definition.Name + ">") text
    }

and private displayEntry depth text (key, value) : Rule<Emitted> =
    rule {
        let! text = displayAt depth text key
        let! text = emitKnown ": " text
        return! displayAt depth text value
    }

let private settleText operation operands s outcomes =
    let symbolic answer : Rule<Str> =
        result (Str.Symbolic(StrTerm.Apply(answer "text")))

    Unknown.settle operation operands [ Fault.StringTooLong; Fault.TooDeep ] symbolic s outcomes

/// display(v). FAULTS StringTooLong, TooDeep.
let display (value: Value) : Rule<Str> =
    let known =
        rule {
            let! text = displayAt 0 nothingEmitted value
            return joined text
        }

    fun s ->
        match known s with
        | [ Outcome.Ok _ ] as one -> one
        | outcomes -> settleText "display" [ value ] s outcomes

/// The display forms of items with a separator between, as one text.
let displayJoined (separator: Str) (items: Value list) : Rule<Str> =
    let known =
        rule {
            let! text = separated (emit separator) (displayAt 0) items nothingEmitted
            return joined text
        }

    fun s ->
        match known s with
        | [ Outcome.Ok _ ] as one -> one
        | outcomes -> settleText "display-joined" (Value.ofStr separator :: items) s outcomes

// Plain data.

/// A scalar, and its copy's charge: text of a String, size of an Int.
let private plainScalar (scalar: Value) : Rule<Plain> =
    rule {
        match! kindOf scalar with
        | Kind.Null -> return Plain.Null
        | Kind.Bool b -> return Plain.Bool b
        | Kind.Int n ->
            do! charge (Int.size n)
            return Plain.Int n
        | Kind.Float x -> return Plain.Float x
        | Kind.String s ->
            do! charge (textGas s)
            return Plain.String s
        | Kind.List _
        | Kind.Map _
        | Kind.Set _
        | Kind.Function _ -> return! fault Fault.TypeMismatch
    }

let collect (f: 'x -> Rule<'y>) (items: 'x list) : Rule<'y list> =
    rule {
        let! results =
            items
            |> fold
                (fun results item ->
                    rule {
                        let! one = f item
                        return one :: results
                    })
                []

        return List.rev results
    }

let rec private plainAt (depth: int) (value: Value) : Rule<Plain> =
    rule {
        match! kindOf value with
        | Kind.Null
        | Kind.Bool _
        | Kind.Int _
        | Kind.Float _
        | Kind.String _ -> return! plainScalar value
        | Kind.List a ->
            let! items = itemsOf "plain" a
            do! branchOf "plain" "list"
            do! chargeInt items.Count
            do! enter depth
            let! items = List.ofSeq items |> collect (plainAt (depth + 1))
            return Plain.List items
        | Kind.Map a ->
            let! entries = entriesOf "plain" a
            do! branchOf "plain" "map"
            do! chargeInt (2 * Entries.count entries)
            do! enter depth
            let! entries = Entries.toList entries |> collect (plainEntry (depth + 1))
            return Plain.Map entries
        | Kind.Set a ->
            let! entries = entriesOf "plain" a
            do! branchOf "plain" "set"
            do! chargeInt (Entries.count entries)
            do! enter depth
            let! items = Entries.toList entries |> collect (fun (key, _) -> plainScalar key)
            return Plain.Set items
        | Kind.Function _ -> return! fault Fault.TypeMismatch
    }

and private plainEntry depth (key, value) : Rule<Plain * Plain> =
    rule {
        let! key = plainScalar key
        let! value = plainAt depth value
        return key, value
    }

/// plain(v): the copy as plain data, each part charged as it is reached. FAULTS TypeMismatch (Function), TooDeep.
let plain (value: Value) : Rule<Plain> = plainAt 0 value

/// Plain data as a value: new collections at every level. Whoever calls this charges for it, if anyone does.
let rec build (plain: Plain) : Rule<Value> =
    rule {
        match plain with
        | Plain.Null -> return Value.nothing
        | Plain.Bool b -> return Value.ofBool b
        | Plain.Int n -> return Value.ofInt n
        | Plain.Float x -> return Value.ofFloat x
        | Plain.String s -> return Value.ofStr s
        | Plain.List items ->
            let! items = items |> collect build
            let! address = allocate (Cell.List(elementsOf items))
            return Value.Of(Kind.List address)
        | Plain.Map entries ->
            let! entries = entries |> fold buildEntry Entries.empty
            let! address = allocate (Cell.Map entries)
            return Value.Of(Kind.Map address)
        | Plain.Set items ->
            let! entries =
                items |> fold (fun entries item -> buildEntry entries (item, Plain.Null)) Entries.empty

            let! address = allocate (Cell.Set entries)
            return Value.Of(Kind.Set address)
    }

and private buildEntry entries (key, value) : Rule<Entries> =
    rule {
        let! key = build key
        let! form, _ = keyForm key
        let! value = build value
        return Entries.add form key value entries
    }

/// weight d: elements, and text and size of the scalars at every level, keys included.
let rec weight (plain: Plain) : Int =
    let sum items =
        items |> List.fold (fun sum item -> Int.add sum (weight item)) (Int.ofInt (List.length items))

    match plain with
    | Plain.Null
    | Plain.Bool _
    | Plain.Float _ -> Int.zero
    | Plain.Int n -> Int.size n
    | Plain.String s -> textGas s
    | Plain.List items
    | Plain.Set items -> sum items
    | Plain.Map entries -> entries |> List.collect (fun (key, value) -> [ key; value ]) |> sum

/// Plain data that comes from outside as a value: new collections at every level, charged by their weight.
let copyOut (plain: Plain) : Rule<Value> =
    rule {
        do! charge (weight plain)
        return! build plain
    }

// The canonical text, which is hashed. It has no limit but gas.

let private append (piece: Str) (pieces: Str list) : Rule<Str list> = result (piece :: pieces)

let private jsonOf (value: Value) (pieces: Str list) : Rule<Str list> =
    rule {
        match! kindOf value with
        | Kind.Null -> return! append (Str.Known "null") pieces
        | Kind.Bool b ->
            let! b = decide b
            return! append (Str.Known(if b then "true" else "false")) pieces
        | Kind.Int n ->
            do! chargeSquare n
            return! append (Str.ofInt n) pieces
        | Kind.Float x ->
            let! x = knownFloat "canonical" x
            return! append (Str.Known(Numbers.floatJson x)) pieces
        | Kind.String s ->
            do! charge (textGas s)
            let! s = knownText "canonical" s
            return! append (Str.Known(Text.quotedAscii s)) pieces
        | Kind.List _
        | Kind.Map _
        | Kind.Set _
        | Kind.Function _ -> return! fault Fault.TypeMismatch
    }

/// A key of canonical JSON as it is sorted and written; keys of one Map are all Strings or all Ints.
[<RequireQualifiedAccess>]
type private JsonKey =
    | Text of string
    | Int of bigint

let private jsonKey (key: Value) : Rule<JsonKey> =
    rule {
        match! kindOf key with
        | Kind.String s ->
            let! s = knownText "canonical" s
            return JsonKey.Text s
        | Kind.Int n ->
            let! n = knownInt "canonical" n
            return JsonKey.Int n
        | Kind.Null
        | Kind.Bool _
        | Kind.Float _
        | Kind.List _
        | Kind.Map _
        | Kind.Set _
        | Kind.Function _ -> return! fault Fault.TypeMismatch
    }

let private compareKeys a b =
    match a, b with
    | JsonKey.Text s, JsonKey.Text t -> Text.compareScalars s t
    | JsonKey.Int m, JsonKey.Int n -> compare m n
    | JsonKey.Text _, JsonKey.Int _ -> 1
    | JsonKey.Int _, JsonKey.Text _ -> -1

let private isText key =
    match key with
    | JsonKey.Text _ -> true
    | JsonKey.Int _ -> false

let rec private canonicalAt (depth: int) (pieces: Str list) (value: Value) : Rule<Str list> =
    rule {
        match! kindOf value with
        | Kind.Null
        | Kind.Bool _
        | Kind.Int _
        | Kind.Float _
        | Kind.String _ ->
            do! branchOf "canonical" "scalar"
            return! jsonOf value pieces
        | Kind.List a ->
            let! items = itemsOf "canonical" a
            do! branchOf "canonical" "list"
            do! chargeInt items.Count
            do! enter depth

            let! pieces =
                List.indexed (List.ofSeq items)
                |> fold
                    (fun pieces (i, item) ->
                        canonicalAt (depth + 1) (if i = 0 then pieces else Str.Known ", " :: pieces) item)
                    (Str.Known "[" :: pieces)

            return! append (Str.Known "]") pieces
        | Kind.Map a ->
            let! entries = entriesOf "canonical" a
            do! branchOf "canonical" "map"
            let n = Entries.count entries
            do! chargeInt (2 * n + n * int (Numbers.bits (bigint n)))
            do! enter depth

            let! keyed =
                Entries.toList entries
                |> collect (fun (key, value) ->
                    rule {
                        let! sortKey = jsonKey key
                        return sortKey, (key, value)
                    })

            let texts = keyed |> List.filter (fun (key, _) -> isText key) |> List.length

            if texts <> 0 && texts <> n then
                return! fault Fault.TypeMismatch
            else
                let sorted =
                    keyed |> List.sortWith (fun (a, _) (b, _) -> compareKeys a b) |> List.map snd

                let! pieces =
                    List.indexed sorted |> fold (canonicalEntry (depth + 1)) (Str.Known "{" :: pieces)

                return! append (Str.Known "}") pieces
        | Kind.Set _
        | Kind.Function _ -> return! fault Fault.TypeMismatch
    }

and private canonicalEntry depth pieces (i, (key, value)) : Rule<Str list> =
    rule {
        let pieces = if i = 0 then pieces else Str.Known ", " :: pieces
        let! written = jsonOf key []

        let quoted =
            match written with
            | [ Str.Known s ] when s.StartsWith '"' -> written
            | [ Str.Known s ] -> [ Str.Known("\"" + s + "\"") ]
            | other -> other

        return! canonicalAt depth (Str.Known ": " :: quoted @ pieces) value
    }

let private sha256 (text: Str) =
    match text with
    | Str.Known s -> Str.Known(System.Convert.ToHexStringLower(SHA256.HashData(Text.utf8 s)))
    | Str.Symbolic t -> Str.Symbolic(StrTerm.Apply("sha256", [ Argument.Str t ]))

/// SHA-256, in lower-case hex, of the canonical bytes. FAULTS TypeMismatch, TooDeep.
let canonicalHash (value: Value) : Rule<Str> =
    rule {
        match! kindOf value with
        | Kind.String s ->
            do! branchOf "canonical" "text"
            do! charge (textGas s)
            return sha256 s
        | Kind.Null
        | Kind.Bool _
        | Kind.Int _
        | Kind.Float _
        | Kind.List _
        | Kind.Map _
        | Kind.Set _
        | Kind.Function _ ->
            let! pieces = canonicalAt 0 [] value

            return sha256 (joined { Pieces = pieces; Length = Int.zero })
    }

/// The root over hashes in hex: parents hash the two hex texts joined, an odd level doubles its last; "" for none.
let rec merkleRoot (level: Str list) : Str =
    match level with
    | [] -> Str.Known ""
    | [ root ] -> root
    | many ->
        let pairs = many |> List.chunkBySize 2

        merkleRoot (
            pairs
            |> List.map (fun pair ->
                match pair with
                | [ left; right ] -> sha256 (Str.concat left right)
                | [ last ] -> sha256 (Str.concat last last)
                | other -> invalidOp ("A chunk of " + string other.Length + "."))
        )
