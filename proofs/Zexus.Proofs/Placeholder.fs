namespace Zexus.Proofs

/// Holds the place of the first real file.
[<AbstractClass; Sealed>]
type Placeholder private () =
    static member Name = Zexus.Spec.Placeholder.Name + ", " + Zexus.Vm.Placeholder.Name
