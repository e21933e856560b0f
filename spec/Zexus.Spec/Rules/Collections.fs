/// 60-66 and 150: collections.
module Zexus.Spec.Rules.Collections

open System.Collections.Immutable
open Zexus.Isa
open Zexus.Spec
open Zexus.Spec.Traversals

/// An Int or a Bool. FAULTS TypeMismatch.
let indexOf (operation: string) (kind: Kind) : Rule<bigint> =
    match kind with
    | Kind.Int n -> knownInt operation n
    | Kind.Bool b -> knownInt operation (Bool.toInt b)
    | Kind.Null
    | Kind.Float _
    | Kind.String _
    | Kind.List _
    | Kind.Map _
    | Kind.Set _
    | Kind.Function _ -> fault Fault.TypeMismatch

/// The position that an index means among `count`, counting from the end when negative, if there is one.
let position (index: bigint) (count: int) =
    let i = if index.Sign < 0 then index + bigint count else index

    if i.Sign >= 0 && i < bigint count then
        Some(int i)
    else
        None

/// A bound of a slice among `count`: Null is open, the rest is clamped as Python clamps.
let private bound (kind: Kind) (count: int) (whenOpen: int) : Rule<int> =
    rule {
        match kind with
        | Kind.Null -> return whenOpen
        | Kind.Bool _
        | Kind.Int _
        | Kind.Float _
        | Kind.String _
        | Kind.List _
        | Kind.Map _
        | Kind.Set _
        | Kind.Function _ ->
            let! index = indexOf "slice" kind
            let i = if index.Sign < 0 then index + bigint count else index
            return int (bigint.Max(0I, bigint.Min(bigint count, i)))
    }

let private bounds (first: Value) (last: Value) (count: int) : Rule<int * int> =
    rule {
        let! first = kindOf first
        let! last = kindOf last
        let! start = bound first count 0
        let! stop = bound last count count
        return start, max start stop
    }

/// A part of a String. GAS scalars of the result/8.
let sliceText (s: Str) (first: Value) (last: Value) : Rule<Value> =
    rule {
        let! s = knownText "slice" s
        let! start, stop = bounds first last (Text.length s)
        do! chargeInt ((stop - start) / Gas.ScalarsPerUnit)
        return Value.text (Text.slice start stop s)
    }

let newList (items: ImmutableList<Value>) : Rule<Value> =
    rule {
        let! address = allocate (Cell.List items)
        return Value.Of(Kind.List address)
    }

let listOf (items: Value list) : Rule<Value> = newList (elementsOf items)

/// A part of a List, as a new one. GAS its elements.
let sliceList (address: Address) (first: Value) (last: Value) : Rule<Value> =
    rule {
        let! items = itemsOf "slice" address
        let! start, stop = bounds first last items.Count
        do! chargeInt (stop - start)
        return! newList (items.GetRange(start, stop - start))
    }

/// The scalar that an index means, Null if there is none.
let scalarAt (s: Str) (index: bigint) : Rule<Value> =
    rule {
        let! s = knownText "index" s

        match position index (Text.length s) with
        | Some i ->
            do! branch "scalar"
            return Value.text (Text.slice i (i + 1) s)
        | None ->
            do! branch "out-of-range"
            return Value.nothing
    }

/// What stands under a key, Null if nothing does. GAS the key's own. FAULTS TypeMismatch, Domain.
let private entryAt (address: Address) (key: Value) : Rule<Value> =
    rule {
        let! entries = entriesOf "index" address
        let! key = keyOf key

        match Entries.tryFind key entries with
        | Some value ->
            do! branch "entry"
            return value
        | None ->
            do! branch "missing-key"
            return Value.nothing
    }

/// STACK [v1 … vn] -> [List] · GAS 5+n · FAULTS CollectionTooLarge.
let BUILD_LIST (n: int) : Rule<unit> =
    rule {
        let! items = popMany n
        do! limitCount (Int.ofInt n)
        let! list = listOf items
        do! push list
    }

let private insert (entries: Entries) (key: Value, value: Value) : Rule<Entries> =
    rule {
        let! form = keyOf key
        return Entries.add form key value entries
    }

/// STACK [k1 v1 … kn vn] -> [Map] · GAS 5+2n, then each key's own · FAULTS TypeMismatch, Domain, CollectionTooLarge.
let BUILD_MAP (n: int) : Rule<unit> =
    rule {
        let! cells = popMany (2 * n)
        let pairs = cells |> List.chunkBySize 2 |> List.map (fun pair -> pair[0], pair[1])
        let! entries = pairs |> fold insert Entries.empty
        do! limitCount (Int.ofInt (Entries.count entries))
        let! address = allocate (Cell.Map entries)
        do! push (Value.Of(Kind.Map address))
    }

/// STACK [v1 … vn] -> [Set] · GAS 5+n, then each element's own · FAULTS TypeMismatch, Domain, CollectionTooLarge.
let BUILD_SET (n: int) : Rule<unit> =
    rule {
        let! items = popMany n

        let! entries =
            items |> fold (fun entries item -> insert entries (item, Value.nothing)) Entries.empty

        do! limitCount (Int.ofInt (Entries.count entries))
        let! address = allocate (Cell.Set entries)
        do! push (Value.Of(Kind.Set address))
    }

/// STACK [obj i] -> [v] · GAS 3, then a Map key's own · FAULTS TypeMismatch, Domain.
/// SOURCE upstream INDEX, but a Map is indexed by key only, and never by position.
let INDEX: Rule<unit> =
    rule {
        let! i = pop
        let! target = pop

        match! kindOf target with
        | Kind.Null ->
            do! branch "null"
            do! push Value.nothing
        | Kind.List address ->
            let! kind = kindOf i
            let! index = indexOf "index" kind
            let! items = itemsOf "index" address

            match position index items.Count with
            | Some i ->
                do! branch "element"
                do! push items[i]
            | None ->
                do! branch "out-of-range"
                do! push Value.nothing
        | Kind.String s ->
            let! kind = kindOf i
            let! index = indexOf "index" kind
            let! scalar = scalarAt s index
            do! push scalar
        | Kind.Map address ->
            let! value = entryAt address i
            do! push value
        | Kind.Bool _
        | Kind.Int _
        | Kind.Float _
        | Kind.Set _
        | Kind.Function _ -> return! fault Fault.TypeMismatch
    }

/// STACK [obj start end] -> [v] · GAS 5, then elements, or scalars/8, of the result · FAULTS TypeMismatch.
let SLICE: Rule<unit> =
    rule {
        let! last = pop
        let! first = pop
        let! target = pop

        match! kindOf target with
        | Kind.Null ->
            do! branch "null"
            do! push Value.nothing
        | Kind.List address ->
            do! branch "list"
            let! part = sliceList address first last
            do! push part
        | Kind.String s ->
            do! branch "string"
            let! part = sliceText s first last
            do! push part
        | Kind.Bool _
        | Kind.Int _
        | Kind.Float _
        | Kind.Map _
        | Kind.Set _
        | Kind.Function _ -> return! fault Fault.TypeMismatch
    }

/// STACK [obj name] -> [v] · GAS 3, then the key's own · FAULTS TypeMismatch.
/// SOURCE upstream GET_ATTR on a dict; the attributes of host objects that it also reads do not exist here.
let GET_ATTR: Rule<unit> =
    rule {
        let! name = pop
        let! target = pop

        match! kindOf target with
        | Kind.Null ->
            do! branch "null"
            do! push Value.nothing
        | Kind.Map address ->
            match! kindOf name with
            | Kind.String _ ->
                let! value = entryAt address name
                do! push value
            | Kind.Null
            | Kind.Bool _
            | Kind.Int _
            | Kind.Float _
            | Kind.List _
            | Kind.Map _
            | Kind.Set _
            | Kind.Function _ -> return! fault Fault.TypeMismatch
        | Kind.Bool _
        | Kind.Int _
        | Kind.Float _
        | Kind.String _
        | Kind.List _
        | Kind.Set _
        | Kind.Function _ -> return! fault Fault.TypeMismatch
    }

/// Scalars of a String, elements of a collection, 0 for Null. FAULTS TypeMismatch.
let lengthOf (value: Value) : Rule<Int> =
    rule {
        match! kindOf value with
        | Kind.Null ->
            do! branch "null"
            return Int.zero
        | Kind.String s ->
            do! branch "string"
            return Str.length s
        | Kind.List address ->
            do! branch "list"
            return! countOf address
        | Kind.Map address ->
            do! branch "map"
            return! countOf address
        | Kind.Set address ->
            do! branch "set"
            return! countOf address
        | Kind.Bool _
        | Kind.Int _
        | Kind.Float _
        | Kind.Function _ -> return! fault Fault.TypeMismatch
    }

/// STACK [obj] -> [n] · GAS 2 · FAULTS TypeMismatch.
let GET_LENGTH: Rule<unit> =
    rule {
        let! target = pop
        let! length = lengthOf target
        do! push (Value.ofInt length)
    }

/// The k-th of `count`, never from the end.
let private kth (k: bigint) (count: int) =
    if k.Sign >= 0 && k < bigint count then
        Some(int k)
    else
        None

/// STACK [obj k] -> [element] (results = 1) or [key value] (results = 2: the index stands for the key of what has none) · GAS 5 · FAULTS TypeMismatch.
/// Nulls when there is no k-th.
let FOR_ITER (results: int) : Rule<unit> =
    let give (key: Value) (value: Value) (alone: Value) : Rule<unit> =
        rule {
            if results = 2 then
                do! push key
                do! push value
            else
                do! push alone
        }

    let exhausted: Rule<unit> =
        rule {
            do! branch "exhausted"
            do! give Value.nothing Value.nothing Value.nothing
        }

    let element (k: int) (value: Value) : Rule<unit> =
        rule {
            do! branch "element"
            do! give (Value.ofInt (Int.ofInt k)) value value
        }

    rule {
        let! k = pop
        let! target = pop
        let! kindK = kindOf k
        let! k = indexOf "for-iter" kindK

        match! kindOf target with
        | Kind.Null -> do! exhausted
        | Kind.List address ->
            let! items = itemsOf "for-iter" address

            match kth k items.Count with
            | Some i -> do! element i items[i]
            | None -> do! exhausted
        | Kind.Set address ->
            let! entries = entriesOf "for-iter" address

            match kth k (Entries.count entries) with
            | Some i -> do! element i (fst (List.item i (Entries.toList entries)))
            | None -> do! exhausted
        | Kind.Map address ->
            let! entries = entriesOf "for-iter" address

            match kth k (Entries.count entries) with
            | Some i ->
                let key, value = List.item i (Entries.toList entries)
                do! branch "entry"
                do! give key value key
            | None -> do! exhausted
        | Kind.String s ->
            let! s = knownText "for-iter" s

            match kth k (Text.length s) with
            | Some i ->
                do! branch "scalar"
                let scalar = Value.text (Text.slice i (i + 1) s)
                do! give (Value.ofInt (Int.ofInt i)) scalar scalar
            | None -> do! exhausted
        | Kind.Bool _
        | Kind.Int _
        | Kind.Float _
        | Kind.Function _ -> return! fault Fault.TypeMismatch
    }
