namespace Zexus.Spec

/// Holds the place of the first real file.
[<AbstractClass; Sealed>]
type Placeholder private () =
    static member Name = Zexus.Isa.Placeholder.Name + " -> Zexus.Spec"
