using Zexus.Vm;

namespace Zexus.Benchmarks;

/// <summary>An engine of ours as it is measured: the level that programs are optimized at, and the options of the machine.</summary>
public sealed record ZexusEngine(string Name, int Level, VmOptions Options)
{
    private static readonly VmOptions Plain = new() { GasLimit = long.MaxValue, Jit = null };
    private static readonly VmOptions Compiled = Plain with { Jit = JitOptions.Default with { Background = false } };

    /// <summary>All of them, gas always on. The first is what break-even is counted against.</summary>
    public static IReadOnlyList<ZexusEngine> All { get; } =
    [
        new("interpreter", 0, Plain),
        new("interpreter-optimized", 3, Plain),
        new("jit", 0, Compiled),
        new("jit-optimized", 3, Compiled),
    ];

    /// <summary>Null when there is none of that name.</summary>
    public static ZexusEngine? Find(string name) => All.FirstOrDefault(engine => engine.Name == name);

    /// <summary>Loads assembly text; throws when it is no program.</summary>
    public ZexusProgram Load(string text) => Load(Source.Assemble(text));

    /// <summary>Loads a program, and optimizes it.</summary>
    public ZexusProgram Load(Isa.Program image)
    {
        ZexusProgram program = ZexusProgram.Load(image);
        return Level == 0 ? program : ZexusProgram.Load(Optimizer.Optimize(program, Level).Program, program.Limits);
    }
}
