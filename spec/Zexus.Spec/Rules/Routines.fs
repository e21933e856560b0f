/// The builtins and methods: docs/semantics.md, section 7. Each takes its arguments from the left, missing ones Null.
module Zexus.Spec.Rules.Routines

open System.Collections.Immutable
open Zexus.Isa
open Zexus.Spec
open Zexus.Spec.Traversals
open Zexus.Spec.Rules.Frames
open Zexus.Spec.Rules.Collections

/// The arguments of a call.
type private Arguments(given: Value list) =
    member _.Count = List.length given

    member _.Item(i: int) =
        given |> List.tryItem i |> Option.defaultValue Value.nothing

/// FAULTS TypeMismatch.
let private wantList (value: Value) : Rule<Address> =
    rule {
        match! kindOf value with
        | Kind.List address -> return address
        | Kind.Null
        | Kind.Bool _
        | Kind.Int _
        | Kind.Float _
        | Kind.String _
        | Kind.Map _
        | Kind.Set _
        | Kind.Function _ -> return! fault Fault.TypeMismatch
    }

/// FAULTS TypeMismatch.
let private wantFunction (value: Value) : Rule<Address> =
    rule {
        match! kindOf value with
        | Kind.Function address -> return address
        | Kind.Null
        | Kind.Bool _
        | Kind.Int _
        | Kind.Float _
        | Kind.String _
        | Kind.List _
        | Kind.Map _
        | Kind.Set _ -> return! fault Fault.TypeMismatch
    }

/// Int, Bool or Null as arithmetic sees them. FAULTS TypeMismatch.
let private wantWhole (value: Value) : Rule<Int> =
    rule {
        let! kind = kindOf value

        match numberOf kind with
        | Some(Number.Int n) -> return n
        | Some(Number.Float _)
        | None -> return! fault Fault.TypeMismatch
    }

let private giveInt (n: int) : Rule<Value> = result (Value.ofInt (Int.ofInt n))
let private giveBool (b: bool) : Rule<Value> = result (Value.known b)

/// A search of a needle in a text: n/8 + n*m/1024.
let private chargeSearch (haystack: string) (needle: string) : Rule<unit> =
    let n = bigint (Text.length haystack)
    let m = bigint (Text.length needle)
    charge (Int.Known(n / bigint Gas.ScalarsPerUnit + n * m / bigint Gas.SearchProduct))

// Builtins.

let private len (a: Arguments) : Rule<Value> =
    rule {
        let! length = lengthOf a[0]
        return Value.ofInt length
    }

let private str (a: Arguments) : Rule<Value> =
    rule {
        let! text = display a[0]
        return Value.ofStr text
    }

let private limited (n: bigint) : Rule<Value> =
    rule {
        do! limitInt (Int.Known n)
        return Value.ofInt (Int.Known n)
    }

let private intOf (a: Arguments) : Rule<Value> =
    rule {
        match! kindOf a[0] with
        | Kind.Null ->
            do! branch "null"
            return Value.ofInt Int.zero
        | Kind.Bool b ->
            do! branch "bool"
            return Value.ofInt (Bool.toInt b)
        | Kind.Int n ->
            do! branch "int"
            return Value.ofInt n
        | Kind.Float x ->
            let! x = knownFloat "int" x
            do! require (Bool.Known(System.Double.IsFinite x)) Fault.Domain
            do! branch "float"
            return! limited (bigint (System.Math.Truncate x))
        | Kind.String s ->
            do! charge (textGas s)
            let! s = knownText "int" s

            match Numbers.parseInt s with
            | Numbers.Parsed n ->
                do! branch "text"
                return! limited n
            | Numbers.TooManyDigits -> return! fault Fault.IntegerTooLarge
            | Numbers.NoInt -> return! fault Fault.Domain
        | Kind.List _
        | Kind.Map _
        | Kind.Set _
        | Kind.Function _ -> return! fault Fault.TypeMismatch
    }

let private floatOf (a: Arguments) : Rule<Value> =
    rule {
        let! kind = kindOf a[0]

        match kind with
        | Kind.Null
        | Kind.Bool _
        | Kind.Int _
        | Kind.Float _ ->
            do! branch "number"

            match numberOf kind with
            | Some(Number.Int n) ->
                do! charge (Int.size n)
                return Value.ofFloat (Float.ofInt n)
            | Some(Number.Float x) -> return Value.ofFloat x
            | None -> return! fault Fault.TypeMismatch
        | Kind.String s ->
            do! charge (textGas s)
            let! s = knownText "float" s

            match Numbers.parseFloat s with
            | Some x ->
                do! branch "text"
                return Value.ofFloat (Float.Known x)
            | None -> return! fault Fault.Domain
        | Kind.List _
        | Kind.Map _
        | Kind.Set _
        | Kind.Function _ -> return! fault Fault.TypeMismatch
    }

let private typeOf (a: Arguments) : Rule<Value> =
    rule {
        let! kind = kindOf a[0]

        let name =
            match kind with
            | Kind.Null -> "null"
            | Kind.Bool _ -> "bool"
            | Kind.Int _ -> "int"
            | Kind.Float _ -> "float"
            | Kind.String _ -> "string"
            | Kind.List _ -> "list"
            | Kind.Map _ -> "map"
            | Kind.Set _ -> "set"
            | Kind.Function _ -> "function"

        do! branch name
        return Value.text name
    }

let private range (a: Arguments) : Rule<Value> =
    rule {
        let! first, last =
            if a.Count >= 2 then
                result (a[0], a[1])
            else
                result (Value.ofInt Int.zero, a[0])

        let! first = wantWhole first
        let! last = wantWhole last
        let! first = knownInt "range" first
        let! last = knownInt "range" last
        do! branch (if a.Count >= 2 then "from-to" else "to")
        let count = bigint.Max(0I, last - first)
        do! charge (Int.Known count)
        do! limitCount (Int.Known count)
        return! listOf [ for i in 0 .. int count - 1 -> Value.ofInt (Int.Known(first + bigint i)) ]
    }

let private push (a: Arguments) : Rule<Value> =
    rule {
        let! address = wantList a[0]
        let! items = itemsOf "push" address
        do! chargeInt (items.Count + 1)
        do! limitCount (Int.ofInt (items.Count + 1))
        return! newList (items.Add a[1])
    }

let private appendTo (address: Address) (x: Value) : Rule<Value> =
    rule {
        let! items = itemsOf "append" address
        do! chargeInt Gas.Element
        do! limitCount (Int.ofInt (items.Count + 1))
        do! store address (Cell.List(items.Add x))
        return Value.Of(Kind.List address)
    }

let private append (a: Arguments) : Rule<Value> =
    rule {
        let! address = wantList a[0]
        return! appendTo address a[1]
    }

let private fromBlock (f: Block -> Value) : Rule<Value> = read (fun s -> f s.Block)

let private gasLeft: Rule<Value> =
    read (fun s -> Value.ofInt (Int.sub s.Context.GasLimit s.GasUsed))

// Methods of a String.

/// A method that looks for a part.
let private searching (s: Str) (part: Value) (f: string -> string -> Rule<Value>) : Rule<Value> =
    rule {
        let! part = wantText part
        let! s = knownText "search" s
        let! part = knownText "search" part
        do! chargeSearch s part
        return! f s part
    }

/// A method that looks at one end.
let private atEnd (s: Str) (part: Value) (f: string -> string -> bool) : Rule<Value> =
    rule {
        let! part = wantText part
        do! charge (textGas part)
        let! s = knownText "search" s
        let! part = knownText "search" part
        let found = f part s
        do! branch (if found then "found" else "not-found")
        return Value.known found
    }

let private rewritten (s: Str) (f: string -> string) : Rule<Value> =
    rule {
        do! charge (textGas s)
        let! s = knownText "rewrite" s
        return Value.text (f s)
    }

let private found (yes: bool) : Rule<Value> =
    rule {
        do! branch (if yes then "found" else "not-found")
        return Value.known yes
    }

let private foundAt (position: int) : Rule<Value> =
    rule {
        do! branch (if position >= 0 then "found" else "not-found")
        return! giveInt position
    }

let private split (s: Str) (separator: Value) : Rule<Value> =
    rule {
        let! kind = kindOf separator

        let! separator =
            match kind with
            | Kind.Null ->
                rule {
                    do! branch "at-spaces"
                    return Str.Known " "
                }
            | Kind.Bool _
            | Kind.Int _
            | Kind.Float _
            | Kind.String _
            | Kind.List _
            | Kind.Map _
            | Kind.Set _
            | Kind.Function _ ->
                rule {
                    let! separator = wantText separator
                    do! branch "at-separator"
                    return separator
                }

        let! s = knownText "split" s
        let! separator = knownText "split" separator
        do! require (Bool.Known(separator <> "")) Fault.Domain
        do! chargeSearch s separator
        let parts = Text.split separator s
        do! chargeInt (List.length parts)
        do! limitCount (Int.ofInt (List.length parts))
        return! listOf (parts |> List.map Value.text)
    }

let private replace (s: Str) (part: Value) (by: Value) : Rule<Value> =
    rule {
        let! part = wantText part
        let! by = wantText by
        let! s = knownText "replace" s
        let! part = knownText "replace" part
        let! by = knownText "replace" by
        do! require (Bool.Known(part <> "")) Fault.Domain
        do! chargeSearch s part
        let parts = Text.split part s

        let length =
            (parts |> List.sumBy (Text.length >> bigint)) + bigint (parts.Length - 1) * bigint (Text.length by)

        do! charge (Int.Known(length / bigint Gas.ScalarsPerUnit))
        do! limitText (Int.Known length)
        return Value.text (System.String.Join(by, parts))
    }

let private charAt (s: Str) (i: Value) : Rule<Value> =
    rule {
        let! kind = kindOf i
        let! index = indexOf "index" kind
        return! scalarAt s index
    }

let private repeat (s: Str) (n: Value) : Rule<Value> =
    rule {
        let! n = wantWhole n
        do! Arithmetic.repeatText s n
        return! pop
    }

// Methods of a List.

let private pop (address: Address) : Rule<Value> =
    rule {
        let! items = itemsOf "pop" address

        if items.Count = 0 then
            do! branch "empty"
            return Value.nothing
        else
            do! branch "element"
            do! store address (Cell.List(items.RemoveAt(items.Count - 1)))
            return items[items.Count - 1]
    }

let private setElement (address: Address) (i: Value) (x: Value) : Rule<Value> =
    rule {
        let! kind = kindOf i
        let! index = indexOf "set" kind
        let! items = itemsOf "set" address

        match position index items.Count with
        | Some i ->
            do! branch "element"
            do! store address (Cell.List(items.SetItem(i, x)))
            return Value.Of(Kind.List address)
        | None -> return! fault Fault.Domain
    }

/// The first position whose element equals x. GAS 1 an element visited, and eq's own. FAULTS TooDeep.
let private positionOf (address: Address) (x: Value) : Rule<int option> =
    rule {
        let! items = itemsOf "search" address

        return!
            List.indexed (List.ofSeq items)
            |> firstOf (fun (i, item) ->
                rule {
                    do! chargeInt Gas.Element
                    let! same = equal item x
                    let! same = decide same
                    return if same then Some i else None
                })
    }

let private atEdge (address: Address) (choose: ImmutableList<Value> -> Value) : Rule<Value> =
    rule {
        let! items = itemsOf "element" address

        if items.Count = 0 then
            do! branch "empty"
            return Value.nothing
        else
            do! branch "element"
            return choose items
    }

let private reverse (address: Address) : Rule<Value> =
    rule {
        let! items = itemsOf "reverse" address
        do! chargeInt items.Count
        return! newList (items.Reverse())
    }

let private join (address: Address) (separator: Value) : Rule<Value> =
    rule {
        let! kind = kindOf separator

        let! separator =
            match kind with
            | Kind.Null ->
                rule {
                    do! branch "without-separator"
                    return Str.Known ""
                }
            | Kind.Bool _
            | Kind.Int _
            | Kind.Float _
            | Kind.String _
            | Kind.List _
            | Kind.Map _
            | Kind.Set _
            | Kind.Function _ ->
                rule {
                    let! separator = wantText separator
                    do! branch "with-separator"
                    return separator
                }

        let! items = itemsOf "join" address
        do! chargeInt items.Count
        let! text = displayJoined separator (List.ofSeq items)
        return Value.ofStr text
    }

/// The elements of an element that is a List, or itself.
let private flattened (item: Value) : Rule<Value list> =
    rule {
        match! kindOf item with
        | Kind.List address ->
            let! items = itemsOf "flatten" address
            do! branch "list"
            return List.ofSeq items
        | Kind.Null
        | Kind.Bool _
        | Kind.Int _
        | Kind.Float _
        | Kind.String _
        | Kind.Map _
        | Kind.Set _
        | Kind.Function _ ->
            do! branch "element"
            return [ item ]
    }

let private isList (item: Value) : Rule<int option> =
    rule {
        match! kindOf item with
        | Kind.List address ->
            let! items = itemsOf "flatten" address
            return Some items.Count
        | Kind.Null
        | Kind.Bool _
        | Kind.Int _
        | Kind.Float _
        | Kind.String _
        | Kind.Map _
        | Kind.Set _
        | Kind.Function _ -> return None
    }

let private flatten (address: Address) : Rule<Value> =
    rule {
        let! items = itemsOf "flatten" address
        let items = List.ofSeq items

        let! inner, plain =
            items
            |> fold
                (fun (inner, plain) item ->
                    rule {
                        match! isList item with
                        | Some n -> return inner + bigint n, plain
                        | None -> return inner, plain + 1I
                    })
                (0I, 0I)

        do! charge (Int.Known(bigint (List.length items) + inner))
        do! limitCount (Int.Known(inner + plain))

        let! parts =
            items
            |> fold
                (fun parts item ->
                    rule {
                        let! part = flattened item
                        return part :: parts
                    })
                []

        return! listOf (List.concat (List.rev parts))
    }

let private ready (value: Rule<Value>) : Rule<Progress> =
    rule {
        let! value = value
        return Progress.Value value
    }

/// `list.map`, `filter`: the elements as they are now.
let private overElements (address: Address) (f: Value) start : Rule<Progress> =
    rule {
        let! f = wantFunction f
        let! items = itemsOf "elements" address
        do! chargeInt items.Count

        if items.Count = 0 then
            do! branch "empty"
            return! ready (listOf [])
        else
            do! branch "started"
            do! pushCallback
            return! start f (List.ofSeq items) ImmutableList.Empty
    }

let private reduce (address: Address) (a: Arguments) : Rule<Progress> =
    rule {
        let! f = wantFunction a[0]
        let! items = itemsOf "elements" address
        do! chargeInt items.Count

        let start initial rest : Rule<Progress> =
            rule {
                match rest with
                | [] -> return Progress.Value initial
                | _ :: _ ->
                    do! pushCallback
                    return! reduceNext f initial rest
            }

        if a.Count >= 2 then
            do! branch "with-initial"
            return! start a[1] (List.ofSeq items)
        else
            match List.ofSeq items with
            | [] ->
                do! branch "empty"
                return Progress.Value Value.nothing
            | first :: rest ->
                do! branch "from-first"
                return! start first rest
    }

let private sort (address: Address) (by: Value) : Rule<Progress> =
    rule {
        let! kind = kindOf by

        let! compare =
            match kind with
            | Kind.Null -> result None
            | Kind.Bool _
            | Kind.Int _
            | Kind.Float _
            | Kind.String _
            | Kind.List _
            | Kind.Map _
            | Kind.Set _
            | Kind.Function _ ->
                rule {
                    let! f = wantFunction by
                    return Some f
                }

        let! items = itemsOf "sort" address
        do! chargeInt items.Count
        let merge = Merge.start (items.ToImmutableArray())

        match compare with
        | None ->
            do! branch "natural"
            let! sorted = sortNaturally merge
            return! ready (newList (ImmutableList.CreateRange sorted))
        | Some _ when items.Count < 2 ->
            do! branch "short"
            return! ready (newList items)
        | Some f ->
            do! branch "compared"
            do! pushCallback
            return! sortNext f merge
    }

// Methods of a Map and of a Set.

let private getEntry (address: Address) (key: Value) (otherwise: Value) : Rule<Value> =
    rule {
        let! entries = entriesOf "get" address
        let! form = keyOf key

        match Entries.tryFind form entries with
        | Some value ->
            do! branch "found"
            return value
        | None ->
            do! branch "not-found"
            return otherwise
    }

/// Put an entry, in its place or at the end. FAULTS TypeMismatch, Domain, CollectionTooLarge.
let private putEntry
    (address: Address)
    (key: Value)
    (value: Value)
    (cell: Entries -> Cell)
    (kind: Address -> Kind)
    : Rule<Value> =
    rule {
        let! entries = entriesOf "set" address
        let! form = keyOf key
        let isNew = not (Map.containsKey form entries.Index)
        do! branch (if isNew then "new" else "present")

        if isNew then
            do! limitCount (Int.ofInt (Entries.count entries + 1))

        do! store address (cell (Entries.add form key value entries))
        return Value.Of(kind address)
    }

/// Is there such an entry? FAULTS TypeMismatch, Domain.
let private hasEntry (address: Address) (key: Value) : Rule<Value> =
    rule {
        let! entries = entriesOf "has" address
        let! form = keyOf key
        return! found (Map.containsKey form entries.Index)
    }

/// GAS the key's own, then entries/4. FAULTS TypeMismatch, Domain.
let private deleteEntry (address: Address) (key: Value) (cell: Entries -> Cell) : Rule<Value> =
    rule {
        let! entries = entriesOf "delete" address
        let! form = keyOf key
        do! chargeInt (Entries.count entries / Gas.EntriesPerDeletion)
        do! store address (cell (Entries.remove form entries))
        return! found (Map.containsKey form entries.Index)
    }

let private listEntries (address: Address) (gas: int) (f: Value * Value -> Rule<Value>) : Rule<Value> =
    rule {
        let! entries = entriesOf "entries" address
        do! chargeInt (gas * Entries.count entries)

        let! items =
            Entries.toList entries
            |> fold
                (fun items entry ->
                    rule {
                        let! item = f entry
                        return item :: items
                    })
                []

        return! listOf (List.rev items)
    }

let private countEntries (address: Address) : Rule<int> =
    rule {
        let! entries = entriesOf "length" address
        return Entries.count entries
    }

let private countItems (address: Address) : Rule<int> =
    rule {
        let! items = itemsOf "length" address
        return items.Count
    }

let private counted (count: Rule<int>) (f: int -> Value) : Rule<Value> =
    rule {
        let! n = count
        return f n
    }

let private ofCount n = Value.ofInt (Int.ofInt n)
let private isNone n = Value.known (n = 0)

// The table.

let private wrongTarget () : Rule<Progress> =
    invalidOp "A method was found on another kind than its target's."

let private onText (target: Kind) (f: Str -> Rule<Value>) : Rule<Progress> =
    match target with
    | Kind.String s -> ready (f s)
    | Kind.Null
    | Kind.Bool _
    | Kind.Int _
    | Kind.Float _
    | Kind.List _
    | Kind.Map _
    | Kind.Set _
    | Kind.Function _ -> wrongTarget ()

let private onCollection (target: Kind) (f: Address -> Rule<Progress>) : Rule<Progress> =
    match target with
    | Kind.List address
    | Kind.Map address
    | Kind.Set address -> f address
    | Kind.Null
    | Kind.Bool _
    | Kind.Int _
    | Kind.Float _
    | Kind.String _
    | Kind.Function _ -> wrongTarget ()

/// Run a builtin or method on its target (Null for a builtin) and arguments. Its rule becomes the current one.
let invoke (info: RoutineInfo) (target: Kind) (given: Value list) : Rule<Progress> =
    let a = Arguments given
    let text f = onText target f
    let collection f = onCollection target (f >> ready)

    rule {
        do! enterRule info.Rule

        return!
            match info.Routine with
            | Routine.Len -> ready (len a)
            | Routine.Str -> ready (str a)
            | Routine.IntOf -> ready (intOf a)
            | Routine.FloatOf -> ready (floatOf a)
            | Routine.TypeOf -> ready (typeOf a)
            | Routine.Range -> ready (range a)
            | Routine.Push -> ready (push a)
            | Routine.Append -> ready (append a)
            | Routine.Timestamp -> ready (fromBlock (fun b -> Value.ofInt b.Timestamp))
            | Routine.Height -> ready (fromBlock (fun b -> Value.ofInt b.Height))
            | Routine.Caller -> ready (fromBlock (fun b -> Value.ofStr b.Caller))
            | Routine.GasLeft -> ready gasLeft
            | Routine.CallContract ->
                rule {
                    do! Contracts.call a[0] a[1] a[2] a[3]
                    return Progress.Calling
                }
            | Routine.StringLength -> text (fun s -> result (Value.ofInt (Str.length s)))
            | Routine.StringContains ->
                text (fun s -> searching s a[0] (fun s part -> found (Text.indexOf part s >= 0)))
            | Routine.StringStartsWith -> text (fun s -> atEnd s a[0] Text.startsWith)
            | Routine.StringEndsWith -> text (fun s -> atEnd s a[0] Text.endsWith)
            | Routine.StringUpper -> text (fun s -> rewritten s Text.upper)
            | Routine.StringLower -> text (fun s -> rewritten s Text.lower)
            | Routine.StringTrim -> text (fun s -> rewritten s Text.trim)
            | Routine.StringSplit -> text (fun s -> split s a[0])
            | Routine.StringIndexOf -> text (fun s -> searching s a[0] (fun s part -> foundAt (Text.indexOf part s)))
            | Routine.StringReplace -> text (fun s -> replace s a[0] a[1])
            | Routine.StringSlice -> text (fun s -> sliceText s a[0] a[1])
            | Routine.StringCharAt -> text (fun s -> charAt s a[0])
            | Routine.StringRepeat -> text (fun s -> repeat s a[0])
            | Routine.StringIsEmpty -> text (fun s -> result (Value.ofBool (Int.equal (Str.length s) Int.zero)))
            | Routine.ListLength -> collection (fun l -> counted (countItems l) ofCount)
            | Routine.ListPush -> collection (fun l -> appendTo l a[0])
            | Routine.ListPop -> collection pop
            | Routine.ListSet -> collection (fun l -> setElement l a[0] a[1])
            | Routine.ListContains ->
                collection (fun l ->
                    rule {
                        let! position = positionOf l a[0]
                        return! found (Option.isSome position)
                    })
            | Routine.ListIndexOf ->
                collection (fun l ->
                    rule {
                        let! position = positionOf l a[0]
                        return! foundAt (Option.defaultValue -1 position)
                    })
            | Routine.ListIsEmpty -> collection (fun l -> counted (countItems l) isNone)
            | Routine.ListFirst -> collection (fun l -> atEdge l (fun items -> items[0]))
            | Routine.ListLast -> collection (fun l -> atEdge l (fun items -> items[items.Count - 1]))
            | Routine.ListReverse -> collection reverse
            | Routine.ListSort -> onCollection target (fun l -> sort l a[0])
            | Routine.ListJoin -> collection (fun l -> join l a[0])
            | Routine.ListSlice -> collection (fun l -> sliceList l a[0] a[1])
            | Routine.ListFlatten -> collection flatten
            | Routine.ListMap -> onCollection target (fun l -> overElements l a[0] mapNext)
            | Routine.ListFilter -> onCollection target (fun l -> overElements l a[0] filterNext)
            | Routine.ListReduce -> onCollection target (fun l -> reduce l a)
            | Routine.MapLength
            | Routine.SetLength -> collection (fun m -> counted (countEntries m) ofCount)
            | Routine.MapIsEmpty
            | Routine.SetIsEmpty -> collection (fun m -> counted (countEntries m) isNone)
            | Routine.MapGet -> collection (fun m -> getEntry m a[0] a[1])
            | Routine.MapSet -> collection (fun m -> putEntry m a[0] a[1] Cell.Map Kind.Map)
            | Routine.SetAdd -> collection (fun m -> putEntry m a[0] Value.nothing Cell.Set Kind.Set)
            | Routine.MapHas
            | Routine.SetHas -> collection (fun m -> hasEntry m a[0])
            | Routine.MapDelete -> collection (fun m -> deleteEntry m a[0] Cell.Map)
            | Routine.SetDelete -> collection (fun m -> deleteEntry m a[0] Cell.Set)
            | Routine.MapKeys
            | Routine.SetValues -> collection (fun m -> listEntries m 1 (fst >> result))
            | Routine.MapValues -> collection (fun m -> listEntries m 1 (snd >> result))
            | Routine.MapEntries -> collection (fun m -> listEntries m 3 (fun (key, value) -> listOf [ key; value ]))
    }
