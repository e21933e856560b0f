using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>Compiled code takes the machine, the frame's record, its slots and the gas counter; see <see cref="FunctionCompiler"/>.</summary>
internal unsafe delegate long CompiledEntry(Machine machine, Frame* frame, Value* slots, long counter);

/// <summary>One compiled method with its places. Lives as long as the program, since frames may still be in it.</summary>
internal sealed unsafe class CompiledPiece
{
    private static readonly MethodInfo GetDescriptor =
        typeof(DynamicMethod).GetMethod("GetMethodDescriptor", BindingFlags.Instance | BindingFlags.NonPublic)
        ?? throw new InvalidOperationException("this .NET does not give the handle of a DynamicMethod");

    private readonly CompiledEntry _keptAlive;
    private readonly nint[] _sites;

    public CompiledPiece(DynamicMethod method, FunctionCode* function, int entry, nint[] sites, int guards, int ilCount)
    {
        Function = function;
        Entry = entry;
        _sites = sites;
        Guards = guards;
        IlCount = ilCount;
        _keptAlive = method.CreateDelegate<CompiledEntry>();
        RuntimeHelpers.PrepareDelegate(_keptAlive);
        Pointer = ((RuntimeMethodHandle)GetDescriptor.Invoke(method, null)!).GetFunctionPointer();
    }

    public FunctionCode* Function { get; }

    /// <summary>The instruction that it begins at; 0 is the function itself, or a loop that begins there.</summary>
    public int Entry { get; }

    public int Guards { get; }

    public int IlCount { get; }

    public nint Pointer { get; }

    /// <summary>Exits but those for gas.</summary>
    public int Exits { get; set; }

    public ReadOnlySpan<nint> Sites => _sites;

    public void Free()
    {
        GC.KeepAlive(_keptAlive);
        foreach (nint site in _sites)
        {
            NativeMemory.Free((void*)site);
        }
    }
}
