using System.Collections.Immutable;

namespace Zexus.Vm;

/// <summary>A pass that looks at a whole function at once. Holds what it found in the last one, so it belongs to one optimization.</summary>
/// <param name="name">What its transformations are called.</param>
/// <param name="technique">The technique that it applies.</param>
internal abstract class FunctionPass(string name, Technique technique)
{
    public string Name { get; } = name;

    public Technique Technique { get; } = technique;

    /// <summary>Changes the function, whose places are numbered. Does nothing else to it: no charge is moved or dropped.</summary>
    /// <param name="scope">The function.</param>
    /// <param name="changes">Hears of each change.</param>
    public abstract void Run(RewriteScope scope, Changes changes);

    /// <summary>Do all paths come by here on both sides, one as often as the other? Asked after <see cref="Run"/>, of what jumps and handlers land on.</summary>
    public virtual bool IsCut(Node landing) => true;

    /// <summary>What the last <see cref="Run"/> relied on here: the start of the function, or what jumps or handlers land on.</summary>
    public virtual ImmutableArray<Claim> ClaimsAt(Node landing) => [];
}

/// <summary>A sort of change that a pass over a whole function makes.</summary>
/// <param name="Name">Under which it is counted.</param>
/// <param name="Equation">What it says.</param>
internal sealed record Change(string Name, string Equation);

/// <summary>Counts what the passes over whole functions change, and describes it if somebody wants to read that.</summary>
internal sealed class Changes(bool explain, ImmutableArray<AppliedRewrite>.Builder log)
{
    private readonly SortedDictionary<string, int> _counts = new(StringComparer.Ordinal);

    public IEnumerable<KeyValuePair<string, int>> Counts => _counts;

    public int Total { get; private set; }

    /// <summary>The instructions as text; nothing when nobody will read it.</summary>
    public ImmutableArray<string> Spell(RewriteScope scope, params ReadOnlySpan<Node> nodes)
    {
        if (!explain)
        {
            return [];
        }

        ImmutableArray<string>.Builder lines = ImmutableArray.CreateBuilder<string>(nodes.Length);
        foreach (Node node in nodes)
        {
            lines.Add(InstructionText.Of(node, scope.Program, scope.Constants));
        }

        return lines.MoveToImmutable();
    }

    /// <summary>A change has been made.</summary>
    /// <param name="scope">In this function.</param>
    /// <param name="change">Of this sort.</param>
    /// <param name="source">The source instruction that the first instruction stood for.</param>
    /// <param name="before">What stood there, as <see cref="Spell"/> gave it.</param>
    /// <param name="after">What stands there now.</param>
    public void Add(
        RewriteScope scope,
        Change change,
        int source,
        ImmutableArray<string> before,
        params ReadOnlySpan<Node> after
    )
    {
        Total++;
        _counts[change.Name] = _counts.GetValueOrDefault(change.Name) + 1;
        if (explain)
        {
            log.Add(
                new AppliedRewrite(
                    scope.Graph.Number,
                    source,
                    change.Name,
                    change.Equation,
                    before,
                    Spell(scope, after)
                )
            );
        }
    }
}
