using System.Diagnostics;
using System.Globalization;
using Zexus.Benchmarks;

namespace Zexus.Peers;

/// <summary>
/// A process that runs one kernel on one peer, a line at a time: <c>run N</c> is answered with the kernel's result for that size,
/// <c>fresh N</c>, of our engines only, with the nanoseconds that loading and running a program took that was never seen before, and its result,
/// anything else with <c>pong</c>. The kernel is loaded at the first run.
/// </summary>
internal static class Worker
{
    public const string Command = "worker";

    public static int Serve(string peerName, string kernelName)
    {
        Peer peer = ZexusEngine.Find(peerName) is { } ours
            ? Peer.OfOurs(ours)
            : Peer.All.Single(p => p.Name == peerName);
        Kernel kernel = Kernel.Find(kernelName)!;
        Func<long, long>? run = null;
        Console.WriteLine("ready");
        while (Console.ReadLine() is { } line)
        {
            string[] words = line.Split(' ');
            if (words[0] == "run")
            {
                run ??= Open(peer, kernel);
                Console.WriteLine(run(Size(words[1])).ToString(CultureInfo.InvariantCulture));
            }
            else if (words[0] == "fresh")
            {
                Console.WriteLine(Fresh(peer, kernel, Size(words[1])));
            }
            else
            {
                Console.WriteLine("pong");
            }
        }

        return 0;
    }

    private static long Size(string digits) => long.Parse(digits, CultureInfo.InvariantCulture);

    private static Func<long, long> Open(Peer peer, Kernel kernel) =>
        peer.Name switch
        {
            Peer.CSharp => Twins.Values(kernel.Name)!,
            Peer.CSharpIdiomatic => Twins.Idiomatic(kernel.Name)!,
            "KeraLua" => OpenLua(kernel),
            "Jint" => OpenJint(kernel),
            "Wasmtime" => OpenWasmtime(kernel, hasFuel: false),
            "Wasmtime, fuel" => OpenWasmtime(kernel, hasFuel: true),
            _ => OpenOurs(peer, kernel),
        };

    private static Func<long, long> OpenOurs(Peer peer, Kernel kernel)
    {
        ZexusEngine engine = ZexusEngine.Find(peer.Name)!;
        Vm.Vm vm = new(engine.Options);
        Dictionary<long, Vm.ZexusProgram> programs = [];
        return size =>
        {
            if (!programs.TryGetValue(size, out Vm.ZexusProgram? program))
            {
                program = engine.Load(kernel.Assembly(size));
                programs.Add(size, program);
            }

            Vm.ExecutionResult result = engine.Execute(vm, program);
            return result.IsCompleted
                ? (long)result.Value.AsInteger
                : throw new InvalidOperationException($"{kernel.Name} faulted: {result.Fault}");
        };
    }

    private static string Fresh(Peer peer, Kernel kernel, long size)
    {
        ZexusEngine engine = ZexusEngine.Find(peer.Name)!;
        Isa.Program image = Isa.Assembler.Assemble(kernel.Assembly(size), kernel.Name).Program;
        using Vm.Vm vm = new(engine.Options);
        long start = Stopwatch.GetTimestamp();
        Vm.ExecutionResult result = vm.Execute(engine.Load(image));
        TimeSpan took = Stopwatch.GetElapsedTime(start);
        return result.IsCompleted
            ? string.Create(CultureInfo.InvariantCulture, $"{(long)took.TotalNanoseconds} {result.Value.AsInteger}")
            : throw new InvalidOperationException($"{kernel.Name} of {size} faulted: {result.Fault}");
    }

    private static Func<long, long> OpenLua(Kernel kernel)
    {
        KeraLua.Lua lua = new();
        if (lua.DoFile(kernel.File("lua")!))
        {
            throw new InvalidOperationException(lua.ToString(-1));
        }

        int function = lua.Ref(KeraLua.LuaRegistry.Index);
        return size =>
        {
            lua.RawGetInteger(KeraLua.LuaRegistry.Index, function);
            lua.PushInteger(size);
            lua.Call(1, 1);
            long result = (long)lua.ToNumber(-1);
            lua.Pop(1);
            return result;
        };
    }

    private static Func<long, long> OpenJint(Kernel kernel)
    {
        Jint.Engine engine = new();
        engine.SetValue("sha256", Twins.Sha256);
        engine.Execute(File.ReadAllText(kernel.File("js")!));
        Jint.Native.JsValue function = engine.GetValue("run");
        return size => (long)Jint.JsValueExtensions.AsNumber(engine.Invoke(function, (double)size));
    }

    private static Func<long, long> OpenWasmtime(Kernel kernel, bool hasFuel)
    {
        Wasmtime.Engine engine = new(new Wasmtime.Config().WithFuelConsumption(hasFuel));
        Wasmtime.Module module = Wasmtime.Module.FromText(engine, kernel.Name, File.ReadAllText(kernel.File("wat")!));
        Wasmtime.Store store = new(engine);
        Wasmtime.Instance instance = new Wasmtime.Linker(engine).Instantiate(store, module);
        Func<long, long> function = instance.GetFunction<long, long>("run")!;
        return size =>
        {
            if (hasFuel)
            {
                store.Fuel = ulong.MaxValue / 2;
            }

            return function(size);
        };
    }
}
