using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;

namespace Zexus.Vm;

/// <summary>What every handler takes: the machine, its instruction, the frame's slots, the counter and the frame.</summary>
internal unsafe delegate long WideHandler(Machine machine, Wide* at, Value* slots, long counter, Frame* frame);

/// <summary>
/// The handlers of threaded code. Each is a method of its own that does one instruction and goes on to the next one's handler by
/// a tail call, so that machine, instruction, slots, counter and frame stay in registers. C# has no tail calls, therefore
/// they are made as IL. They are the process's, not a program's.
/// </summary>
internal static unsafe class Handlers
{
    private static readonly Lock Making = new();
    private static readonly Dictionary<HandlerKey, nint> Made = [];

    // The methods live as long as their delegates.
    private static readonly List<WideHandler> KeptAlive = [];

    private static readonly MethodInfo GetDescriptor =
        typeof(DynamicMethod).GetMethod("GetMethodDescriptor", BindingFlags.Instance | BindingFlags.NonPublic)
        ?? throw new InvalidOperationException("this .NET does not give the handle of a DynamicMethod");

    /// <summary>The address of a handler.</summary>
    public static nint Of(HandlerKey key)
    {
        lock (Making)
        {
            if (!Made.TryGetValue(key, out nint address))
            {
                address = Make(key);
                Made.Add(key, address);
            }

            return address;
        }
    }

    private static nint Make(HandlerKey key)
    {
        DynamicMethod method = new(
            $"zexus:{key.Op}:{key.First}:{key.Second}",
            typeof(long),
            HandlerIl.Parameters,
            typeof(Machine),
            skipVisibility: true
        );
        method.InitLocals = false;
        // What is not the plain case goes to another handler, in the end to that of Exec.
        nint otherwise = key.Op switch
        {
            WideOp.Exec => 0,
            WideOp.Index => Of(key with { Op = WideOp.EntryIndex }),
            WideOp.ListSet => Of(key with { Op = WideOp.EntrySet }),
            _ => Of(new HandlerKey(WideOp.Exec, IsUnmetered: key.IsUnmetered)),
        };
        new HandlerIl(method.GetILGenerator(512), key, otherwise).Emit();
        WideHandler handler = method.CreateDelegate<WideHandler>();
        RuntimeHelpers.PrepareDelegate(handler);
        KeptAlive.Add(handler);
        return ((RuntimeMethodHandle)GetDescriptor.Invoke(method, null)!).GetFunctionPointer();
    }
}
