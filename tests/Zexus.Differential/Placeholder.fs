namespace Zexus.Differential

/// Holds the place of the first real file.
[<AbstractClass; Sealed>]
type Placeholder private () =
    static member Names = [ Zexus.Spec.Placeholder.Name; Zexus.Vm.Placeholder.Name ]
