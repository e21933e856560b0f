using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>A set of kinds of values: what is known of a value before the program runs.</summary>
[Flags]
public enum KindSet
{
    /// <summary>No kind: the place is never reached.</summary>
    None = 0,

    /// <summary>Null.</summary>
    Null = 1,

    /// <summary>Bool.</summary>
    Bool = 2,

    /// <summary>Int.</summary>
    Int = 4,

    /// <summary>Float.</summary>
    Float = 8,

    /// <summary>String.</summary>
    String = 16,

    /// <summary>List.</summary>
    List = 32,

    /// <summary>Map.</summary>
    Map = 64,

    /// <summary>Set.</summary>
    Set = 128,

    /// <summary>Function.</summary>
    Function = 256,

    /// <summary>Task.</summary>
    Task = 512,

    /// <summary>What counts as an integer in arithmetic.</summary>
    Integral = Null | Bool | Int,

    /// <summary>What arithmetic takes without a fault.</summary>
    Number = Integral | Float,

    /// <summary>Everything.</summary>
    All = Number | String | List | Map | Set | Function | Task,
}

/// <summary>Kinds of plain data.</summary>
internal static class Kinds
{
    public static KindSet Of(Data data) =>
        data.Tag switch
        {
            Data.Tags.Null => KindSet.Null,
            Data.Tags.Bool => KindSet.Bool,
            Data.Tags.Int => KindSet.Int,
            Data.Tags.Float => KindSet.Float,
            Data.Tags.String => KindSet.String,
            Data.Tags.List => KindSet.List,
            Data.Tags.Map => KindSet.Map,
            Data.Tags.Set => KindSet.Set,
            _ => throw new InvalidOperationException($"no kind for {data}"),
        };

    /// <summary>Is every one of these kinds among those?</summary>
    public static bool Within(this KindSet kinds, KindSet those) => (kinds & ~those) == 0;
}
