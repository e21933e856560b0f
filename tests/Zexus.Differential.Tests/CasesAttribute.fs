namespace Zexus.Differential.Tests

open FsCheck.Xunit
open Zexus.Differential
open Zexus.Tests

/// A property of generated cases, the same ones in every run: see Seed.fs.
type CasesAttribute(count: int) =
    inherit PropertyAttribute(Arbitrary = [| typeof<Arbitraries> |], MaxTest = count, Replay = Seed.text)
