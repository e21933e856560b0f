namespace Zexus.Tests

open System
open FsCheck

/// The seed of the random properties: always the same, so that a run of the tests says the same twice;
/// ZEXUS_SEED in the environment gives another one.
[<RequireQualifiedAccess>]
module Seed =
    let private seed =
        match Environment.GetEnvironmentVariable "ZEXUS_SEED" with
        | null
        | "" -> Rnd 1UL
        | text ->
            match UInt64.TryParse text with
            | true, seed -> Rnd seed
            | false, _ -> invalidOp $"ZEXUS_SEED is \"{text}\"; it is to be a whole number from 0 to {UInt64.MaxValue}."

    let replay: Replay = { Rnd = seed; Size = None }

    /// As FsCheck.Xunit's attributes want it.
    let text = $"({seed.Seed},{seed.Gamma})"
