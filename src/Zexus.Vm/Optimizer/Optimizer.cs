using System.Collections.Immutable;
using System.Diagnostics;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>What one pass over all functions did.</summary>
/// <param name="Round">The round that it belongs to, from 1.</param>
/// <param name="Technique">Which technique it applied.</param>
/// <param name="Applied">Rewrites applied.</param>
/// <param name="Before">Instructions before it.</param>
/// <param name="After">Instructions after it.</param>
/// <param name="Time">How long it took.</param>
public sealed record PassStatistics(int Round, Technique Technique, int Applied, int Before, int After, TimeSpan Time);

/// <summary>One rewrite, or one change by a pass over a whole function, where it was applied.</summary>
/// <param name="Function">The function's place in the function table.</param>
/// <param name="Source">The source instruction that the first instruction of the match stands for.</param>
/// <param name="Name">The rewrite's name, or that of a change by a pass over a whole function, as <see cref="Optimizer.ThreadedJump"/>.</param>
/// <param name="Equation">What it says.</param>
/// <param name="Before">The instructions that it matched.</param>
/// <param name="After">What came in their place.</param>
public sealed record AppliedRewrite(
    int Function,
    int Source,
    string Name,
    string Equation,
    ImmutableArray<string> Before,
    ImmutableArray<string> After
);

/// <summary>What an optimization gives.</summary>
/// <param name="Program">The translated program.</param>
/// <param name="Passes">What each pass did, in order.</param>
/// <param name="Rewrites">How often each rewrite was applied; those that were not are not in it.</param>
/// <param name="Log">Each application, in order; empty unless it was asked for.</param>
/// <param name="Transformations">What the passes over whole functions did, in order, with their claims; empty unless the log was asked for.</param>
/// <param name="Before">Instructions of the source.</param>
/// <param name="After">Instructions of the translation.</param>
public sealed record OptimizationResult(
    TranslatedProgram Program,
    ImmutableArray<PassStatistics> Passes,
    ImmutableSortedDictionary<string, int> Rewrites,
    ImmutableArray<AppliedRewrite> Log,
    ImmutableArray<Transformation> Transformations,
    int Before,
    int After
);

/// <summary>
/// Makes better code of the same meaning, gas and faults included. Level 0 changes nothing; 1 applies the rewrites that
/// need to know nothing but the instructions they replace; 2 all but strength reduction, with what the kind analysis
/// knows, and the passes over whole functions; 3 all there is, until nothing changes any more. Deterministic: the same program gives the same translation.
/// </summary>
/// <remarks>
/// Every change by a pass over a whole function comes with claims to prove it by (<see cref="Transformation"/>).
/// Every local change of the code is a <see cref="Rewrite"/>, but for three that only move or drop charges: a charge known to
/// be 0 is dropped; a NOP gives its charges to the instruction that follows, if nothing else leads there, or to the one
/// before, if that has no effect that anybody can observe after OutOfGas and takes no charge while it acts; a NOP without charges is dropped.
/// </remarks>
public sealed class Optimizer
{
    /// <summary>The highest level.</summary>
    public const int HighestLevel = 3;

    /// <summary>The name under which jumps that were threaded are counted.</summary>
    public const string ThreadedJump = "jump/threaded";

    /// <summary>The name under which instructions that nothing reaches are counted.</summary>
    public const string Unreachable = "dead/unreachable";

    /// <summary>The name under which reads of what holds a constant are counted.</summary>
    public const string PropagatedConstant = "copy/propagated-constant";

    /// <summary>The name under which reads of copies are counted.</summary>
    public const string PropagatedCopy = "copy/propagated";

    /// <summary>The name under which stores that nobody reads are counted.</summary>
    public const string DeadStore = "dead/store";

    /// <summary>The name under which stores that only the next instruction reads are counted.</summary>
    public const string StoredAndLoaded = "dead/stored-and-loaded";

    /// <summary>The name under which results that were computed before are counted.</summary>
    public const string Reused = "cse/reused";

    /// <summary>Rounds over the passes, by level.</summary>
    private static readonly int[] Rounds = [0, 1, 2, 4];

    private static readonly Technique[] Order =
    [
        Technique.ConstantFolding,
        Technique.Peephole,
        Technique.CopyPropagation,
        Technique.Combining,
        Technique.StrengthReduction,
    ];

    // The catalog takes longer to sort than most programs to optimize: once for each level.
    private static readonly Lazy<PassTable[]>[] CatalogTables =
    [
        .. Enumerable
            .Range(0, HighestLevel + 1)
            .Select(level => new Lazy<PassTable[]>(() => PassTable.ByTechnique(RewriteCatalog.All, level))),
    ];

    private static readonly PassTable ChargesTable = new(Technique.Peephole, [.. RewriteCatalog.Charges]);

    private readonly Program _source;
    private readonly Limits _limits;
    private readonly int _level;
    private readonly bool _explain;
    private readonly FunctionPass[] _flowPasses;
    private readonly FunctionPass[] _valuePasses;
    private readonly Pass[] _passes;
    private readonly Pass _charges = new(ChargesTable);
    private readonly List<PassStatistics> _statistics = [];
    private readonly ImmutableArray<AppliedRewrite>.Builder _log = ImmutableArray.CreateBuilder<AppliedRewrite>();
    private readonly ImmutableArray<Transformation>.Builder _transformations =
        ImmutableArray.CreateBuilder<Transformation>();
    private readonly Changes _changes;

    private Optimizer(Program source, Limits limits, PassTable[] passes, int level, bool explain, bool wholeFunctions)
    {
        _flowPasses = wholeFunctions ? [new UnreachableCode(), new JumpThreading(), new UnreachableCode()] : [];
        _valuePasses = wholeFunctions ? [new CopyPropagation(), new CommonSubexpressions(), new DeadStores()] : [];
        _changes = new Changes(explain, _log);
        _source = source;
        _limits = limits;
        _level = level;
        _explain = explain;
        _passes = [.. passes.Select(table => new Pass(table))];
    }

    /// <summary>Optimizes a program for executions under its own limits.</summary>
    /// <param name="program">A loaded program. Of a translation: its source is optimized anew.</param>
    /// <param name="level">0 to 3.</param>
    /// <param name="explain">Whether the result has a log of every application, and the transformations with their claims.</param>
    public static OptimizationResult Optimize(ZexusProgram program, int level, bool explain = false)
    {
        ArgumentNullException.ThrowIfNull(program);
        CheckLevel(level);
        return new Optimizer(
            program.Image,
            program.Limits,
            CatalogTables[level].Value,
            level,
            explain,
            level >= 2
        ).Run();
    }

    /// <summary>The same with these rewrites only: for tests of one of them.</summary>
    internal static OptimizationResult Optimize(
        Program valid,
        Limits limits,
        IEnumerable<Rewrite> rewrites,
        int level,
        bool explain
    )
    {
        CheckLevel(level);
        return new Optimizer(
            valid,
            limits,
            PassTable.ByTechnique(rewrites, level),
            level,
            explain,
            wholeFunctions: false
        ).Run();
    }

    private static void CheckLevel(int level)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(level);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(level, HighestLevel);
    }

    private OptimizationResult Run()
    {
        TranslatedProgram asItIs = TranslatedProgram.Of(_source);
        int before = _source.Functions.Sum(function => function.Code.Length);
        if (_level == 0)
        {
            return Result(asItIs);
        }

        ConstantPool constants = new(_source);
        using ConstantEvaluator evaluator = new(_limits);
        int[] firstNames = FramePlaces.FirstNames(_source);
        RewriteScope[] scopes =
        [
            .. asItIs.Functions.Select(
                (function, f) =>
                {
                    FramePlaces places = new(_source, f, firstNames);
                    return new RewriteScope(
                        new FunctionGraph(f, function),
                        _source,
                        firstNames,
                        constants,
                        places,
                        new KindAnalysis(_source, places, constants),
                        evaluator,
                        _limits
                    );
                }
            ),
        ];
        int round = 1;
        while (round <= Rounds[_level] && RunRound(scopes, round))
        {
            round++;
        }

        if (round > Rounds[_level])
        {
            // What the last round made of conditions may leave code that nothing reaches.
            RunFunctionPasses(scopes, Rounds[_level], _flowPasses);
            SettleAll(scopes);
        }

        return Result(
            new TranslatedProgram(
                _source,
                constants.ToImmutable(),
                [.. scopes.Select(scope => scope.Graph.ToFunction())],
                _level
            )
        );

        OptimizationResult Result(TranslatedProgram program) =>
            new(
                program,
                [.. _statistics],
                Counts(),
                _log.DrainToImmutable(),
                _transformations.DrainToImmutable(),
                before,
                program.Functions.Sum(function => function.Code.Length)
            );
    }

    private ImmutableSortedDictionary<string, int> Counts() =>
        _passes
            .SelectMany(pass => pass.Tried)
            .Select(rewrite => KeyValuePair.Create(rewrite.Rewrite.Name, rewrite.Applied))
            .Concat(_changes.Counts)
            .Where(count => count.Value > 0)
            .ToImmutableSortedDictionary(StringComparer.Ordinal);

    /// <summary>Did it change anything?</summary>
    private bool RunRound(RewriteScope[] scopes, int round)
    {
        int changes = RunFunctionPasses(scopes, round, _flowPasses) + RunFunctionPasses(scopes, round, _valuePasses);
        foreach (RewriteScope scope in scopes)
        {
            scope.Analysis.Run(scope.Graph);
        }

        SettleAll(scopes);
        foreach (Pass pass in _passes)
        {
            changes += RunPass(scopes, round, pass.Table.Technique, scope => Sweep(scope, pass));
        }

        return changes > 0;
    }

    private int RunFunctionPasses(RewriteScope[] scopes, int round, FunctionPass[] passes) =>
        passes.Sum(pass => RunPass(scopes, round, pass.Technique, scope => RunFunctionPass(scope, pass)));

    private int RunPass(RewriteScope[] scopes, int round, Technique technique, Func<RewriteScope, int> pass)
    {
        long start = Stopwatch.GetTimestamp();
        int before = scopes.Sum(scope => scope.Graph.Count);
        int applied = scopes.Sum(pass);
        int after = scopes.Sum(scope => scope.Graph.Count);
        _statistics.Add(new PassStatistics(round, technique, applied, before, after, Stopwatch.GetElapsedTime(start)));
        return applied;
    }

    private int RunFunctionPass(RewriteScope scope, FunctionPass pass)
    {
        FunctionGraph graph = scope.Graph;
        int earlier = _changes.Total;
        if (!_explain)
        {
            graph.NumberPlaces();
            pass.Run(scope, _changes);
            return _changes.Total - earlier;
        }

        TranslatedFunction before = graph.ToFunction();
        ChargedKinds kinds = new(scope);
        pass.Run(scope, _changes);
        if (_changes.Total > earlier)
        {
            // The places still are those of the code before.
            ImmutableArray<CutPoint> cuts = Cuts(graph, pass, kinds);
            _transformations.Add(new Transformation(graph.Number, pass.Name, before, graph.ToFunction(), cuts));
        }

        return _changes.Total - earlier;
    }

    private static ImmutableArray<CutPoint> Cuts(FunctionGraph graph, FunctionPass pass, ChargedKinds kinds)
    {
        List<(Node Landing, ImmutableArray<Claim> Claims)> landings = [];
        List<int> places = [];
        int after = 0;
        for (Node node = graph.First; !node.IsEnd; node = node.Next!)
        {
            if (node.Previous is null || (node.Arrivals > 0 && pass.IsCut(node)))
            {
                landings.Add((node, pass.ClaimsAt(node)));
                places.Add(after);
            }

            after++;
        }

        kinds.AddTo(landings);
        return [.. landings.Zip(places, (cut, place) => new CutPoint(cut.Landing.Place, place, cut.Claims))];
    }

    private void SettleAll(RewriteScope[] scopes)
    {
        foreach (RewriteScope scope in scopes)
        {
            for (Node node = scope.Graph.First; !node.IsEnd; )
            {
                Node next = node.Next!;
                Settle(scope, node);
                node = next;
            }
        }
    }

    /// <summary>Applies the rewrites of one pass wherever they match, from first to last. How many were applied?</summary>
    private int Sweep(RewriteScope scope, Pass pass)
    {
        int applied = 0;
        // The rewrites of the catalog cannot go on for ever: each makes the code shorter or cheaper. Those of a test may.
        int most = (8 * scope.Graph.Count) + 64;
        Node node = scope.Graph.First;
        Knowledge? knowledge = null;
        while (!node.IsEnd && applied < most)
        {
            if (node.Arrivals > 0 || node.Previous is null)
            {
                knowledge = node.Entry;
            }

            node.Before = knowledge;
            if (knowledge is null)
            {
                // No way leads here.
                node = node.Next!;
                continue;
            }

            if (TryAll(scope, pass, node, knowledge) is { } replaced)
            {
                applied++;
                node = StepBack(replaced, pass.Table.LongestPattern);
                knowledge = node.Before;
                continue;
            }

            knowledge = node.Facts.GoesOn ? scope.Analysis.After(node, knowledge) : null;
            node = node.Next!;
        }

        return applied;
    }

    /// <summary>Where to go on when something new stands here: where the earliest pattern may begin that reaches it.</summary>
    private static Node StepBack(Node node, int longest)
    {
        for (int i = 1; i < longest && node.Previous?.Before is not null; i++)
        {
            node = node.Previous;
        }

        return node;
    }

    /// <summary>The first node of what is new; null when no rewrite applies.</summary>
    private Node? TryAll(RewriteScope scope, Pass pass, Node node, Knowledge knowledge)
    {
        foreach (int candidate in pass.Table.Candidates(node))
        {
            CompiledRewrite rewrite = pass[candidate];
            if (!rewrite.Matches(scope, node, knowledge))
            {
                continue;
            }

            ImmutableArray<string> before = _explain ? Spell(scope, rewrite.Matched) : [];
            int source = node.Source;
            if (rewrite.Apply(knowledge) is not { } nodes)
            {
                continue;
            }

            if (_explain)
            {
                _log.Add(
                    new AppliedRewrite(
                        scope.Graph.Number,
                        source,
                        rewrite.Rewrite.Name,
                        rewrite.Rewrite.Equation,
                        before,
                        Spell(scope, nodes)
                    )
                );
            }

            foreach (Node fresh in nodes)
            {
                Settle(scope, fresh);
            }

            // What stood here may have been settled elsewhere.
            Node first = nodes.Length > 0 ? nodes[0].Resolve() : node.Resolve();
            first.Before = knowledge;
            return first;
        }

        return null;
    }

    /// <summary>Does it take the charges of the NOP behind it, by some rewrite of <see cref="RewriteCatalog.Charges"/>?</summary>
    private bool Takes(RewriteScope scope, Node node)
    {
        foreach (int candidate in _charges.Table.Candidates(node))
        {
            // They ask for nothing but constants.
            if (_charges[candidate].Matches(scope, node, Knowledge.Nothing))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Gives a NOP's charges to a neighbour and takes it out, where that changes nothing.</summary>
    private void Settle(RewriteScope scope, Node nop)
    {
        if (nop.Tag != Opcode.Tags.NOP)
        {
            return;
        }

        Node next = nop.Next!;
        if (nop.Charges.Count == 0)
        {
            scope.Graph.Replace(nop, 1, []);
            return;
        }

        if (!next.IsEnd && next.Arrivals == 0)
        {
            nop.Charges.AddRange(next.Charges);
            next.Charges = nop.Charges;
            scope.Graph.Replace(nop, 1, []);
            return;
        }

        if (nop.Previous is { } previous && Takes(scope, previous))
        {
            previous.Charges.AddRange(nop.Charges);
            scope.Graph.Replace(nop, 1, []);
        }
    }

    private static ImmutableArray<string> Spell(RewriteScope scope, ReadOnlySpan<Node> nodes)
    {
        ImmutableArray<string>.Builder lines = ImmutableArray.CreateBuilder<string>(nodes.Length);
        foreach (Node node in nodes)
        {
            lines.Add(InstructionText.Of(node, scope.Program, scope.Constants));
        }

        return lines.MoveToImmutable();
    }

    /// <summary>The rewrites of one technique, by the two opcodes that their patterns begin with. Immutable.</summary>
    private sealed class PassTable
    {
        // By the first opcode, then by the one that follows, the end of the code being the first of those: places in Rewrites.
        private readonly int[]?[]?[] _candidates;

        public PassTable(Technique technique, Rewrite[] rewrites)
        {
            Technique = technique;
            Rewrites = rewrites;
            LongestPattern = rewrites.Max(rewrite => rewrite.Pattern.Length);
            int opcodes = InstructionSet.Rows.Max(row => row.Opcode.Tag) + 1;
            _candidates = new int[opcodes][][];
            foreach (
                IGrouping<int, int> group in Enumerable
                    .Range(0, rewrites.Length)
                    .GroupBy(it => rewrites[it].Pattern[0].Opcode.Tag)
            )
            {
                _candidates[group.Key] =
                [
                    .. Enumerable
                        .Range(-1, opcodes + 1)
                        .Select(next =>
                            group
                                .Where(it =>
                                    rewrites[it].Pattern.Length == 1 || rewrites[it].Pattern[1].Opcode.Tag == next
                                )
                                .ToArray()
                        ),
                ];
            }
        }

        public Technique Technique { get; }

        public Rewrite[] Rewrites { get; }

        public int LongestPattern { get; }

        /// <summary>Those that may match here, in the order of the catalog.</summary>
        public int[] Candidates(Node node) => _candidates[node.Tag]?[node.Next!.Tag + 1] ?? [];

        /// <summary>Those of a level, a table for each technique, in the order in which they are applied.</summary>
        public static PassTable[] ByTechnique(IEnumerable<Rewrite> rewrites, int level)
        {
            ILookup<Technique, Rewrite> byTechnique = rewrites
                .Where(rewrite => rewrite.Level <= level)
                .ToLookup(rewrite => rewrite.Technique);
            return
            [
                .. Order
                    .Where(byTechnique.Contains)
                    .Select(technique => new PassTable(technique, [.. byTechnique[technique]])),
            ];
        }
    }

    /// <summary>A table in one optimization, which makes ready what it comes to try.</summary>
    private sealed class Pass(PassTable table)
    {
        private readonly CompiledRewrite?[] _compiled = new CompiledRewrite?[table.Rewrites.Length];

        public PassTable Table => table;

        public CompiledRewrite this[int rewrite] => _compiled[rewrite] ??= new CompiledRewrite(table.Rewrites[rewrite]);

        public IEnumerable<CompiledRewrite> Tried => _compiled.OfType<CompiledRewrite>();
    }
}
