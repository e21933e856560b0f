using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>Checks what the host hands in.</summary>
internal static class HostData
{
    public static void Check(Data data, Limits limits, string what)
    {
        ArgumentNullException.ThrowIfNull(data);
        if (DataVisitor.Check(data, limits) is { } reason)
        {
            string problem = reason.Tag switch
            {
                RefusalReason.Tags.ConstantTooLarge => "is larger than the limits allow",
                RefusalReason.Tags.ConstantTooDeep => "nests collections deeper than the limits allow",
                RefusalReason.Tags.BadString => "has text with half of a surrogate pair",
                RefusalReason.Tags.BadNaN => "has a NaN other than 0x7FF8000000000000",
                _ =>
                    "has a Map key or Set element that is no Null, Bool, Int, Float or String, is NaN, or stands there twice",
            };
            throw new ArgumentException($"{what} {problem}");
        }
    }
}
