using Zexus.Benchmarks;

namespace Zexus.Peers;

/// <summary>A ratio that is to be reached: the engine's time by the peer's, on the minimum of each.</summary>
internal sealed record Goal(string Engine, string Kernel, string Peer, double AtMost)
{
    private const string Interpreter = "interpreter";
    private const string Jit = "jit";

    public static IReadOnlyList<Goal> All { get; } =
    [
        .. Benchmarks.Kernel.All.Select(k => new Goal(Interpreter, k.Name, Peers.Peer.Lua, 1)),
        new(Interpreter, "integer-loop", Peers.Peer.LuaJitInterpreter, 1),
        .. Benchmarks.Kernel.All.Select(k => new Goal(Jit, k.Name, Peers.Peer.LuaJit, 1)),
        .. Benchmarks.Kernel.All.Select(k => new Goal(Jit, k.Name, Peers.Peer.V8, 1)),
        new(Jit, "integer-loop", Peers.Peer.CSharp, 1.15),
        new(Jit, "fibonacci", Peers.Peer.CSharp, 1.3),
    ];

    /// <summary>The best ratio of the engines that the goal is for; null when something of it was not measured.</summary>
    public double? Reached(IReadOnlyList<Figure> figures)
    {
        double? Of(Func<Figure, bool> which) =>
            figures.Where(f => f.Kernel.Name == Kernel && which(f)).Select(f => (double?)f.Minimum).Min();

        return Of(f => f.Peer.IsOurs && f.Peer.Name.StartsWith(Engine, StringComparison.Ordinal))
            / Of(f => f.Peer.Name == Peer);
    }
}
