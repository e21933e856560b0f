namespace Zexus.Isa

open System
open System.Collections.Generic
open System.Runtime.InteropServices

/// What a method is called on.
[<RequireQualifiedAccess>]
type Receiver =
    /// A builtin: called by name, on nothing.
    | Nothing
    | String
    | List
    | Map
    | Set

/// The builtins and methods. A case a meaning; the names that a program may use for it stand in its row.
[<RequireQualifiedAccess>]
type Routine =
    // Builtins.
    | Len
    | Str
    | IntOf
    | FloatOf
    | TypeOf
    | Range
    | Push
    | Append
    | Timestamp
    | Height
    | Caller
    | GasLeft
    | CallContract
    // Methods of a String.
    | StringLength
    | StringContains
    | StringStartsWith
    | StringEndsWith
    | StringUpper
    | StringLower
    | StringTrim
    | StringSplit
    | StringIndexOf
    | StringReplace
    | StringSlice
    | StringCharAt
    | StringRepeat
    | StringIsEmpty
    // Methods of a List.
    | ListLength
    | ListPush
    | ListPop
    | ListSet
    | ListContains
    | ListIndexOf
    | ListIsEmpty
    | ListFirst
    | ListLast
    | ListReverse
    | ListSort
    | ListJoin
    | ListSlice
    | ListFlatten
    | ListMap
    | ListFilter
    | ListReduce
    // Methods of a Map.
    | MapLength
    | MapGet
    | MapSet
    | MapHas
    | MapDelete
    | MapKeys
    | MapValues
    | MapEntries
    | MapIsEmpty
    // Methods of a Set.
    | SetLength
    | SetAdd
    | SetHas
    | SetDelete
    | SetValues
    | SetIsEmpty

/// One row of the library. Missing arguments are Null, extra ones are dropped.
type RoutineInfo = {
    Routine: Routine
    Receiver: Receiver
    /// The names a program may call it by; the first is the one that reports use.
    Names: string[]
    Parameters: string[]
    /// `target.name(a, b) -> result`, as a reader writes it.
    Signature: string
    /// The charge besides the call's own, in words; "" when there is none.
    SizeGas: string
    Faults: Fault[]
    Meaning: string
    /// The name of its rule in the specification.
    Rule: string
}

/// The builtins and methods: one table.
[<AbstractClass; Sealed>]
type Library private () =

    static let row
        routine
        receiver
        (names: string list)
        (parameters: string list)
        result
        sizeGas
        (faults: Fault list)
        meaning
        =
        let first = List.head names

        let owner, folder =
            match receiver with
            | Receiver.Nothing -> "", "builtin"
            | Receiver.String -> "string.", "string"
            | Receiver.List -> "list.", "list"
            | Receiver.Map -> "map.", "map"
            | Receiver.Set -> "set.", "set"

        {
            Routine = routine
            Receiver = receiver
            Names = List.toArray names
            Parameters = List.toArray parameters
            Signature = owner + first + "(" + String.Join(", ", parameters) + ") -> " + result
            SizeGas = sizeGas
            Faults = List.toArray (if sizeGas = "" then faults else faults @ [ Fault.OutOfGas ])
            Meaning = meaning
            Rule = folder + "/" + first.Replace('_', '-')
        }

    static let kinds = [ Fault.TypeMismatch ]
    static let keys = [ Fault.TypeMismatch; Fault.Domain ]
    static let callback = [ Fault.TypeMismatch; Fault.CallTooDeep ]
    static let search = "search: scalars/8 + scalars * needle/1024"

    static let rows = [|
        row Routine.Len Receiver.Nothing [ "len"; "length" ] [ "x" ] "Int" "" kinds "As GET_LENGTH."

        row
            Routine.Str
            Receiver.Nothing
            [ "str"; "string" ]
            [ "x" ]
            "String"
            "the display"
            [ Fault.StringTooLong; Fault.TooDeep ]
            "The display form."

        row
            Routine.IntOf
            Receiver.Nothing
            [ "int" ]
            [ "x" ]
            "Int"
            "String: scalars/8"
            [ Fault.TypeMismatch; Fault.Domain; Fault.IntegerTooLarge ]
            "The number as an Int, a Float toward zero; a String of decimal digits."

        row
            Routine.FloatOf
            Receiver.Nothing
            [ "float" ]
            [ "x" ]
            "Float"
            "Int: size; String: scalars/8"
            keys
            "The nearest Float to a number or to a decimal String."

        row Routine.TypeOf Receiver.Nothing [ "type" ] [ "x" ] "String" "" [] "The name of its kind."

        row
            Routine.Range
            Receiver.Nothing
            [ "range" ]
            [ "from"; "to" ]
            "List"
            "1 an element"
            [ Fault.TypeMismatch; Fault.CollectionTooLarge ]
            "Ints from 0 to one argument, or from the first of two to the second, exclusive."

        row
            Routine.Push
            Receiver.Nothing
            [ "push" ]
            [ "list"; "x" ]
            "List"
            "1 an element"
            [ Fault.TypeMismatch; Fault.CollectionTooLarge ]
            "A new List with x at its end."

        row
            Routine.Append
            Receiver.Nothing
            [ "append" ]
            [ "list"; "x" ]
            "List"
            "1"
            [ Fault.TypeMismatch; Fault.CollectionTooLarge ]
            "Put x at the list's end; the list itself is the result."

        row Routine.Timestamp Receiver.Nothing [ "timestamp" ] [] "Int" "" [] "The block's timestamp, from the host."
        row Routine.Height Receiver.Nothing [ "height" ] [] "Int" "" [] "The block's height, from the host."
        row
            Routine.Caller
            Receiver.Nothing
            [ "caller" ]
            []
            "String"
            ""
            []
            "Who calls: from the host, or the id of the contract that calls."
        row Routine.GasLeft Receiver.Nothing [ "gas_left" ] [] "Int" "" [] "The gas left after this call's own charge."

        row
            Routine.CallContract
            Receiver.Nothing
            [ "call_contract" ]
            [ "contract"; "function"; "arguments"; "gas" ]
            "any"
            "100 + scalars/8 of each name; the copy of the arguments; what the contract uses"
            [
                Fault.TypeMismatch
                Fault.Reentrancy
                Fault.UndefinedFunction
                Fault.TooDeep
                Fault.CallTooDeep
                Fault.Domain
                Fault.Thrown
            ]
            "Execute a function of another contract on its own state, with a List of arguments and at most so much gas (Null: all that is left). Its fault undoes what it did and is thrown as a Map: contract, function, fault, value."

        row Routine.StringLength Receiver.String [ "length"; "len"; "size" ] [] "Int" "" [] "Its scalars."
        row
            Routine.StringContains
            Receiver.String
            [ "contains"; "includes" ]
            [ "part" ]
            "Bool"
            search
            kinds
            "Does the part occur?"

        row
            Routine.StringStartsWith
            Receiver.String
            [ "starts_with"; "startsWith" ]
            [ "part" ]
            "Bool"
            "scalars of the part/8"
            kinds
            "Does it begin with the part?"

        row
            Routine.StringEndsWith
            Receiver.String
            [ "ends_with"; "endsWith" ]
            [ "part" ]
            "Bool"
            "scalars of the part/8"
            kinds
            "Does it end with the part?"

        row
            Routine.StringUpper
            Receiver.String
            [ "upper"; "toUpperCase"; "to_upper_case" ]
            []
            "String"
            "scalars/8"
            []
            "ASCII letters in upper case."

        row
            Routine.StringLower
            Receiver.String
            [ "lower"; "toLowerCase"; "to_lower_case" ]
            []
            "String"
            "scalars/8"
            []
            "ASCII letters in lower case."

        row
            Routine.StringTrim
            Receiver.String
            [ "trim"; "strip" ]
            []
            "String"
            "scalars/8"
            []
            "Without ASCII white space at its ends."

        row
            Routine.StringSplit
            Receiver.String
            [ "split" ]
            [ "separator" ]
            "List"
            (search + "; 1 a part")
            (keys @ [ Fault.CollectionTooLarge ])
            "The parts between separators; the separator is a space when Null."

        row
            Routine.StringIndexOf
            Receiver.String
            [ "index_of"; "indexOf" ]
            [ "part" ]
            "Int"
            search
            kinds
            "Where the part first occurs, in scalars; -1 if nowhere."

        row
            Routine.StringReplace
            Receiver.String
            [ "replace" ]
            [ "part"; "by" ]
            "String"
            (search + "; scalars of the result/8")
            (keys @ [ Fault.StringTooLong ])
            "Each occurrence of the part, from the left, replaced."

        row
            Routine.StringSlice
            Receiver.String
            [ "slice"; "substring" ]
            [ "start"; "end" ]
            "String"
            "scalars of the result/8"
            kinds
            "As SLICE."

        row Routine.StringCharAt Receiver.String [ "char_at"; "charAt" ] [ "i" ] "String" "" kinds "As INDEX."

        row
            Routine.StringRepeat
            Receiver.String
            [ "repeat" ]
            [ "n" ]
            "String"
            "scalars of the result/8"
            (kinds @ [ Fault.StringTooLong ])
            "As MUL by n."

        row Routine.StringIsEmpty Receiver.String [ "is_empty"; "isEmpty" ] [] "Bool" "" [] "Has it no scalars?"

        row Routine.ListLength Receiver.List [ "length"; "len"; "size"; "count" ] [] "Int" "" [] "Its elements."

        row
            Routine.ListPush
            Receiver.List
            [ "push"; "append" ]
            [ "x" ]
            "List"
            "1"
            [ Fault.CollectionTooLarge ]
            "Put x at its end; the list itself is the result."

        row Routine.ListPop Receiver.List [ "pop" ] [] "v" "" [] "Take the last element off; Null when empty."

        row
            Routine.ListSet
            Receiver.List
            [ "set" ]
            [ "i"; "x" ]
            "List"
            ""
            keys
            "Replace element i, negative from the end; out of range: Domain; the list itself is the result."

        row
            Routine.ListContains
            Receiver.List
            [ "contains"; "includes" ]
            [ "x" ]
            "Bool"
            "1 an element visited, and EQ's own"
            [ Fault.TooDeep ]
            "Does an element equal x?"

        row
            Routine.ListIndexOf
            Receiver.List
            [ "index_of"; "indexOf" ]
            [ "x" ]
            "Int"
            "1 an element visited, and EQ's own"
            [ Fault.TooDeep ]
            "Where an element first equals x; -1 if nowhere."

        row Routine.ListIsEmpty Receiver.List [ "is_empty"; "isEmpty" ] [] "Bool" "" [] "Has it no elements?"
        row Routine.ListFirst Receiver.List [ "first" ] [] "v" "" [] "Its first element; Null when empty."
        row Routine.ListLast Receiver.List [ "last" ] [] "v" "" [] "Its last element; Null when empty."
        row Routine.ListReverse Receiver.List [ "reverse" ] [] "List" "1 an element" [] "A new List, backwards."

        row
            Routine.ListSort
            Receiver.List
            [ "sort" ]
            [ "compare" ]
            "List"
            "1 an element; 1 a comparison and LT's own, or 14 a call"
            (callback @ [ Fault.TooDeep ])
            "A new List, sorted stably by LT, or so that compare(left, right) > 0 puts right first."

        row
            Routine.ListJoin
            Receiver.List
            [ "join" ]
            [ "separator" ]
            "String"
            "1 an element, and its display"
            (kinds @ [ Fault.StringTooLong; Fault.TooDeep ])
            "The elements' display forms with the separator between; none when Null."

        row
            Routine.ListSlice
            Receiver.List
            [ "slice" ]
            [ "start"; "end" ]
            "List"
            "elements of the result"
            kinds
            "As SLICE."

        row
            Routine.ListFlatten
            Receiver.List
            [ "flatten" ]
            []
            "List"
            "1 an element of the list and of the result"
            [ Fault.CollectionTooLarge ]
            "A new List with each element that is a List replaced by its elements, one level."

        row
            Routine.ListMap
            Receiver.List
            [ "map" ]
            [ "f" ]
            "List"
            "1 an element; 12 a call"
            callback
            "A new List of f(element)."

        row
            Routine.ListFilter
            Receiver.List
            [ "filter" ]
            [ "f" ]
            "List"
            "1 an element; 12 a call"
            callback
            "A new List of the elements for which f(element) is true."

        row
            Routine.ListReduce
            Receiver.List
            [ "reduce" ]
            [ "f"; "initial" ]
            "v"
            "1 an element; 14 a call"
            callback
            "f(… f(f(initial, first), second) …); from the first element when there is no second argument."

        row Routine.MapLength Receiver.Map [ "length"; "len"; "size"; "count" ] [] "Int" "" [] "Its entries."
        row
            Routine.MapGet
            Receiver.Map
            [ "get" ]
            [ "key"; "default" ]
            "v"
            "the key's own"
            keys
            "The value; the default when there is none."

        row
            Routine.MapSet
            Receiver.Map
            [ "set" ]
            [ "key"; "value" ]
            "Map"
            "the key's own"
            (keys @ [ Fault.CollectionTooLarge ])
            "Put the value under the key, in its place or at the end; the map itself is the result."

        row
            Routine.MapHas
            Receiver.Map
            [ "has"; "contains"; "has_key"; "hasKey" ]
            [ "key" ]
            "Bool"
            "the key's own"
            keys
            "Is there an entry?"

        row
            Routine.MapDelete
            Receiver.Map
            [ "delete"; "remove" ]
            [ "key" ]
            "Bool"
            "the key's own; entries/4"
            keys
            "Take the entry out; was there one?"

        row Routine.MapKeys Receiver.Map [ "keys" ] [] "List" "1 an entry" [] "The keys in insertion order."
        row Routine.MapValues Receiver.Map [ "values" ] [] "List" "1 an entry" [] "The values in insertion order."
        row
            Routine.MapEntries
            Receiver.Map
            [ "entries" ]
            []
            "List"
            "3 an entry"
            []
            "Lists of key and value in insertion order."
        row Routine.MapIsEmpty Receiver.Map [ "is_empty"; "isEmpty" ] [] "Bool" "" [] "Has it no entries?"

        row Routine.SetLength Receiver.Set [ "length"; "len"; "size"; "count" ] [] "Int" "" [] "Its elements."

        row
            Routine.SetAdd
            Receiver.Set
            [ "add" ]
            [ "x" ]
            "Set"
            "the key's own"
            (keys @ [ Fault.CollectionTooLarge ])
            "Put x at its end unless an equal element is there; the set itself is the result."

        row
            Routine.SetHas
            Receiver.Set
            [ "has"; "contains" ]
            [ "x" ]
            "Bool"
            "the key's own"
            keys
            "Is there an equal element?"

        row
            Routine.SetDelete
            Receiver.Set
            [ "delete"; "remove" ]
            [ "x" ]
            "Bool"
            "the key's own; elements/4"
            keys
            "Take the equal element out; was there one?"

        row Routine.SetValues Receiver.Set [ "values" ] [] "List" "1 an element" [] "The elements in insertion order."
        row Routine.SetIsEmpty Receiver.Set [ "is_empty"; "isEmpty" ] [] "Bool" "" [] "Has it no elements?"
    |]

    static let byName =
        let table = Dictionary<struct (Receiver * string), RoutineInfo>()

        for info in rows do
            for name in info.Names do
                table.Add(struct (info.Receiver, name), info)

        table

    static let byRoutine =
        let table = Dictionary<Routine, RoutineInfo>()

        for info in rows do
            table.Add(info.Routine, info)

        table

    /// Every row: builtins, then the methods by receiver.
    static member Rows: IReadOnlyList<RoutineInfo> = rows

    /// The builtin (receiver Nothing) or method of that name.
    static member TryFind(receiver: Receiver, name: string, [<Out>] info: byref<RoutineInfo>) =
        byName.TryGetValue(struct (receiver, name), &info)

    static member Of(routine: Routine) = byRoutine[routine]
