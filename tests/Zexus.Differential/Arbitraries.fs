namespace Zexus.Differential

open FsCheck
open FsCheck.FSharp

/// A case of one family; for properties that are about that family alone.
type WellFormedCase = WellFormedCase of Case
type IllFormedCase = IllFormedCase of Case
type RuleDirectedCase = RuleDirectedCase of Case
type WorkoutCase = WorkoutCase of Case
type LoopCase = LoopCase of Case

/// The generators and the shrinker as FsCheck takes them: `[<Property(Arbitrary = [| typeof<Arbitraries> |])>]`.
/// FsCheck draws a seed and an index; the case is the one that a campaign of this seed has there.
type Arbitraries =
    static member private Drawn(make: uint64 -> int64 -> Case) : Gen<Case> =
        Gen.map2
            (fun seed index -> make (uint64 (seed: int)) (int64 (index: int)))
            (Gen.choose (0, System.Int32.MaxValue))
            (Gen.choose (0, 999_999))

    static member private OfFamily(family: Family, wrap: Case -> 'a, unwrap: 'a -> Case) : Arbitrary<'a> =
        Arb.fromGenShrink (
            Gen.map wrap (Arbitraries.Drawn(Generate.ofFamily family)),
            fun wrapped -> Seq.map wrap (Shrink.candidates (unwrap wrapped))
        )

    static member Case() : Arbitrary<Case> =
        Arb.fromGenShrink (Arbitraries.Drawn Generate.case, Shrink.candidates)

    static member WellFormedCase() : Arbitrary<WellFormedCase> =
        Arbitraries.OfFamily(Family.WellFormed, WellFormedCase, (fun (WellFormedCase case) -> case))

    static member IllFormedCase() : Arbitrary<IllFormedCase> =
        Arbitraries.OfFamily(Family.IllFormed, IllFormedCase, (fun (IllFormedCase case) -> case))

    static member RuleDirectedCase() : Arbitrary<RuleDirectedCase> =
        Arbitraries.OfFamily(Family.RuleDirected, RuleDirectedCase, (fun (RuleDirectedCase case) -> case))

    static member WorkoutCase() : Arbitrary<WorkoutCase> =
        Arbitraries.OfFamily(Family.Workout, WorkoutCase, (fun (WorkoutCase case) -> case))

    static member LoopCase() : Arbitrary<LoopCase> =
        Arbitraries.OfFamily(Family.Loop, LoopCase, (fun (LoopCase case) -> case))
