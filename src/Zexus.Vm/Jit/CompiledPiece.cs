using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Zexus.Vm;

internal unsafe delegate long Compiled0(Machine machine, Frame* frame, Value* slots, long counter);

internal unsafe delegate long Compiled1(Machine machine, Frame* frame, Value* slots, long counter, long a);

internal unsafe delegate long Compiled2(Machine machine, Frame* frame, Value* slots, long counter, long a, long b);

internal unsafe delegate long Compiled3(
    Machine machine,
    Frame* frame,
    Value* slots,
    long counter,
    long a,
    long b,
    long c
);

internal unsafe delegate long Compiled4(
    Machine machine,
    Frame* frame,
    Value* slots,
    long counter,
    long a,
    long b,
    long c,
    long d
);

/// <summary>One compiled method with its places. Lives as long as the program, since frames may still be in it.</summary>
internal sealed unsafe class CompiledPiece
{
    private static readonly MethodInfo GetDescriptor =
        typeof(DynamicMethod).GetMethod("GetMethodDescriptor", BindingFlags.Instance | BindingFlags.NonPublic)
        ?? throw new InvalidOperationException("this .NET does not give the handle of a DynamicMethod");

    private static readonly Type[] Delegates =
    [
        typeof(Compiled0),
        typeof(Compiled1),
        typeof(Compiled2),
        typeof(Compiled3),
        typeof(Compiled4),
    ];

    private readonly Delegate _keptAlive;
    private readonly nint[] _sites;
    private readonly nint[] _records;

    public CompiledPiece(
        DynamicMethod method,
        FunctionCode* function,
        Convention convention,
        Site* mismatch,
        int failing,
        nint[] sites,
        nint[] records,
        int guards,
        int ilCount,
        int[] places
    )
    {
        Function = function;
        Convention = convention;
        _sites = sites;
        _records = records;
        Guards = guards;
        IlCount = ilCount;
        Places = places;
        _keptAlive = method.CreateDelegate(Delegates[convention.Registers.Length]);
        RuntimeHelpers.PrepareDelegate(_keptAlive);
        Entry = (EntryPoint*)NativeMemory.AllocZeroed((nuint)sizeof(EntryPoint));
        Entry->Code = ((RuntimeMethodHandle)GetDescriptor.Invoke(method, null)!).GetFunctionPointer();
        Entry->Mismatch = mismatch;
        Entry->Failing = failing;
        Entry->Registers = convention.Registers.Length;
        for (int r = 0; r < convention.Registers.Length; r++)
        {
            Entry->Slots[r] = (short)convention.Registers[r].Slot;
            Entry->Kinds[r] = (short)convention.Registers[r].Kind;
        }
    }

    public FunctionCode* Function { get; }

    public Convention Convention { get; }

    public EntryPoint* Entry { get; }

    public int Guards { get; }

    public int IlCount { get; }

    /// <summary>By the numbers of <see cref="JitProgram.CounterOf"/>: in how many places that is counted.</summary>
    public int[] Places { get; }

    /// <summary>Exits but those for gas and room.</summary>
    public int Exits { get; set; }

    public ReadOnlySpan<nint> Sites => _sites;

    public void Free()
    {
        GC.KeepAlive(_keptAlive);
        NativeMemory.Free(Entry);
        foreach (nint site in _sites)
        {
            NativeMemory.Free((void*)site);
        }

        foreach (nint record in _records)
        {
            NativeMemory.Free((void*)record);
        }
    }
}
