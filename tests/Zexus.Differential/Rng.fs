namespace Zexus.Differential

/// A small fast random generator (SplitMix64). `Rng.Of(seed, index)` gives every program of a campaign a stream of its own,
/// so program k of seed S is the same program whoever asks for it, and in whatever order.
[<Sealed>]
type Rng(start: uint64) =
    let mutable state = start

    static let mix (z: uint64) =
        let z = (z ^^^ (z >>> 30)) * 0xBF58476D1CE4E5B9UL
        let z = (z ^^^ (z >>> 27)) * 0x94D049BB133111EBUL
        z ^^^ (z >>> 31)

    static member Of(seed: uint64, index: int64) =
        Rng(mix (mix (seed + 0x9E3779B97F4A7C15UL) ^^^ (uint64 index * 0xD1B54A32D192ED03UL + 1UL)))

    member _.Next() =
        state <- state + 0x9E3779B97F4A7C15UL
        mix state

    /// A stream that is independent of what this one goes on to give.
    member this.Split() = Rng(this.Next())

    /// 0 to n - 1.
    member this.Below(n: int) =
        int (((this.Next() >>> 32) * uint64 n) >>> 32)

    /// low to high, both included.
    member this.Between(low: int, high: int) = low + this.Below(high - low + 1)

    member this.Long(below: int64) = int64 (this.Next() % uint64 below)

    /// True n times in a thousand.
    member this.Chance(perMille: int) = this.Below 1000 < perMille

    member this.Pick(items: 'a[]) = items[this.Below items.Length]
    member this.Pick(items: ResizeArray<'a>) = items[this.Below items.Count]

    /// The index of a weight, as often as its share of the sum.
    member this.Weighted(weights: int[]) =
        let mutable left = this.Below(Array.sum weights)
        let mutable i = 0

        while left >= weights[i] do
            left <- left - weights[i]
            i <- i + 1

        i
