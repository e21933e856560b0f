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

    /// <summary>The interpreter's loop alone, which runs what threaded code does not.</summary>
    private static readonly ZexusEngine Loop = new("loop", 0, Plain with { Threaded = null });

    /// <summary>Each tier, and the same without taking the gas of instructions; what a rule takes besides, by the size of its operands, it takes in both.</summary>
    public static IReadOnlyList<(string Tier, ZexusEngine Metered, ZexusEngine Unmetered)> Metering { get; } =
    [
        ("interpreter's loop", Loop, Loop with { Name = "loop, unmetered", IsLoopUnmetered = true }),
        (
            "threaded code",
            All[0],
            new("interpreter, unmetered", 0, Plain with { Threaded = new ThreadedOptions { IsUnmetered = true } })
        ),
        (
            "compiled code",
            All[2],
            new(
                "jit, unmetered",
                0,
                Plain with
                {
                    Jit = new JitOptions { Background = false, IsUnmetered = true },
                }
            )
        ),
    ];

    /// <summary>The stack form and the register form of a program, where a tier runs them differently.</summary>
    public static IReadOnlyList<(string Tier, ZexusEngine Stack, ZexusEngine Registers)> Forms { get; } =
    [
        InBothForms("interpreter's loop", Loop),
        InBothForms("interpreter's loop, optimized", Loop with { Name = "loop-optimized", Level = 3 }),
        InBothForms("threaded code, optimized", All[1]),
    ];

    private static (string, ZexusEngine, ZexusEngine) InBothForms(string tier, ZexusEngine stack) =>
        (tier, stack, stack with { Name = stack.Name + ", registers", IsRegisterForm = true });

    private bool IsLoopUnmetered { get; init; }

    private bool IsRegisterForm { get; init; }

    /// <summary>Null when there is none of that name.</summary>
    public static ZexusEngine? Find(string name) =>
        All.Concat(Metering.SelectMany(tier => (ZexusEngine[])[tier.Metered, tier.Unmetered]))
            .FirstOrDefault(engine => engine.Name == name);

    /// <summary>Executes a program on a machine with the engine's options.</summary>
    public ExecutionResult Execute(Vm.Vm vm, ZexusProgram program)
    {
        if (!IsLoopUnmetered)
        {
            return vm.Execute(program);
        }

        NoMeter hook = default;
        return vm.Execute(program, ref hook);
    }

    /// <summary>Loads assembly text; throws when it is no program.</summary>
    public ZexusProgram Load(string text) => Load(Source.Assemble(text));

    /// <summary>Loads a program, optimizes it, and makes the register form of it if that is what is measured.</summary>
    public ZexusProgram Load(Isa.Program image)
    {
        ZexusProgram program = ZexusProgram.Load(image);
        if (Level == 0 && !IsRegisterForm)
        {
            return program;
        }

        TranslatedProgram code = Optimizer.Optimize(program, Level).Program;
        return ZexusProgram.Load(IsRegisterForm ? RegisterConverter.Convert(code).Program : code, program.Limits);
    }
}
