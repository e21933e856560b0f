namespace Zexus.Vm;

/// <summary>Holds the place of the first real file.</summary>
public static class Placeholder
{
    public static string Name => "Zexus.Vm";
}
