namespace Zexus.Isa

open System
open System.Collections.Generic
open System.Numerics

/// Plain data: what constants, state, ledger, events and audit entries are made of. A tree; nothing in it is shared or changes.
/// Equality is structural and exact (kinds, order, bits of a Float), as a canonical encoding needs it; it is not EQ.
[<RequireQualifiedAccess; CustomEquality; NoComparison>]
type Data =
    | Null
    | Bool of value: bool
    | Int of value: BigInteger
    | Float of value: double
    | String of value: string
    | List of items: Data[]
    | Map of entries: KeyValuePair<Data, Data>[]
    | Set of items: Data[]

    override this.Equals other =
        match other with
        | :? Data as that -> (this :> IEquatable<Data>).Equals that
        | _ -> false

    override this.GetHashCode() =
        match this with
        | Null -> 0
        | Bool b -> if b then 1 else 2
        | Int n -> n.GetHashCode()
        | Float x -> BitConverter.DoubleToInt64Bits(x).GetHashCode()
        | String s -> StringComparer.Ordinal.GetHashCode s
        // Of all that is inside: a pool of a hundred thousand lists of one element must not become one bucket.
        | List items -> items |> Array.fold (fun hash item -> HashCode.Combine(hash, item)) 3
        | Map entries -> entries |> Array.fold (fun hash entry -> HashCode.Combine(hash, entry.Key, entry.Value)) 4
        | Set items -> items |> Array.fold (fun hash item -> HashCode.Combine(hash, item)) 5

    interface IEquatable<Data> with
        member this.Equals that =
            match this, that with
            | Null, Null -> true
            | Bool a, Bool b -> a = b
            | Int a, Int b -> a = b
            | Float a, Float b -> BitConverter.DoubleToInt64Bits a = BitConverter.DoubleToInt64Bits b
            | String a, String b -> String.Equals(a, b, StringComparison.Ordinal)
            | List a, List b
            | Set a, Set b -> a.Length = b.Length && Array.forall2 (fun (x: Data) y -> x.Equals y) a b
            | Map a, Map b ->
                a.Length = b.Length
                && Array.forall2
                    (fun (x: KeyValuePair<Data, Data>) (y: KeyValuePair<Data, Data>) ->
                        x.Key.Equals y.Key && x.Value.Equals y.Value)
                    a
                    b
            | (Null | Bool _ | Int _ | Float _ | String _ | List _ | Map _ | Set _), _ -> false

/// One instruction as a container holds it: a number, known or not, and as many operands as its opcode has; the others are 0.
[<Struct>]
type Instruction = {
    Number: int
    A: int64
    B: int64
    C: int64
} with

    static member Of(number: int, a: int64, b: int64, c: int64) = { Number = number; A = a; B = b; C = c }

/// A row of the function table. A name in `Parameters`, `Locals` or `Captures` is a variable of the frame; all else is global.
type FunctionDefinition = {
    Name: string
    Parameters: string[]
    Locals: string[]
    Captures: string[]
    Code: Instruction[]
}

/// A program before validation. Function 0 is where it starts.
type Program = {
    Constants: Data[]
    Names: string[]
    Functions: FunctionDefinition[]
}
