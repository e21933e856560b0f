using System.Diagnostics;
using Zexus.Benchmarks;

namespace Zexus.Peers;

/// <summary>One that runs kernels, in a process of its own.</summary>
/// <param name="Name">As the tables name it.</param>
/// <param name="Extension">The language of its kernels, by the extension of their files; "cs" for <see cref="Twins"/>.</param>
/// <param name="Program">What is started; null for this program as a worker.</param>
/// <param name="Arguments">Its arguments before the kernel's file.</param>
internal sealed record Peer(string Name, string Extension, string? Program, params string[] Arguments)
{
    public const string CSharp = "C#";
    public const string CSharpIdiomatic = "C# idiomatic";
    public const string LuaJit = "LuaJIT";
    public const string LuaJitInterpreter = "LuaJIT -joff";
    public const string V8 = "V8";
    public const string Lua = "Lua 5.4";

    /// <summary>All of them: our engines first, then whom they are compared with.</summary>
    public static IReadOnlyList<Peer> All { get; } =
    [
        .. ZexusEngine.All.Select(OfOurs),
        new(CSharp, "cs", null),
        new(CSharpIdiomatic, "cs", null),
        new(LuaJit, "lua", "luajit", WorkerFile("worker.lua")),
        new(LuaJitInterpreter, "lua", "luajit", "-joff", WorkerFile("worker.lua")),
        new(Lua, "lua", "lua5.4", WorkerFile("worker.lua")),
        new("KeraLua", "lua", null),
        new(V8, "js", "node", WorkerFile("worker.js")),
        new("V8 --jitless", "js", "node", "--jitless", WorkerFile("worker.js")),
        new("Jint", "js", null),
        new("Wasmtime", "wat", null),
        new("Wasmtime, fuel", "wat", null),
    ];

    public static Peer OfOurs(ZexusEngine engine) => new(engine.Name, "zxa", null);

    /// <summary>Is it one of our engines?</summary>
    public bool IsOurs => Extension == "zxa";

    /// <summary>Can it run the kernel?</summary>
    public bool Runs(Kernel kernel) =>
        Extension == "cs"
            ? Twins.Idiomatic(kernel.Name) is not null
            // Lua 5.4 has no SHA-256 and no way to a library's but a module in C.
            : (kernel.Name != "mining" || Name is not (Lua or "KeraLua")) && kernel.File(Extension) is not null;

    /// <summary>How it is started.</summary>
    public ProcessStartInfo Start(Kernel kernel) =>
        Program is null
            ? new ProcessStartInfo("dotnet", [typeof(Peer).Assembly.Location, Worker.Command, Name, kernel.Name])
            : new ProcessStartInfo(Program, [.. Arguments, kernel.File(Extension)!]);

    private static string WorkerFile(string name) => Path.Combine(AppContext.BaseDirectory, "Workers", name);
}
