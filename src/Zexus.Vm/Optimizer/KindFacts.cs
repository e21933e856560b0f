using System.Collections.Immutable;

namespace Zexus.Vm;

/// <summary>What the kind analysis says of the value in one place, whenever control comes to an instruction.</summary>
/// <param name="Place">Where the value is.</param>
/// <param name="Kinds">Its kind is one of these.</param>
/// <param name="IsSmall">It is no Int beyond 64 bits signed.</param>
public readonly record struct KindFact(Place Place, KindSet Kinds, bool IsSmall);

/// <summary>What the kind analysis says before one instruction. A place that it knows nothing of is not named.</summary>
/// <param name="IsReached">False: no path leads here. Then there are no facts.</param>
/// <param name="Stack">Cells of the operand stack.</param>
/// <param name="Frame">Variables that only the frame changes, and registers.</param>
public sealed record InstructionFacts(bool IsReached, ImmutableArray<KindFact> Stack, ImmutableArray<KindFact> Frame);

/// <summary>
/// What the optimizer takes for granted about kinds in the code that runs, the program's own or its translation: for checks that
/// compare it with what the values turn out to be. Not safe for use by several threads.
/// </summary>
public sealed class KindFacts
{
    private static readonly InstructionFacts Nowhere = new(false, [], []);
    private static readonly ImmutableArray<Place> Cells = [.. Enumerable.Range(0, 64).Select(Cell)];

    private readonly TranslatedProgram _code;
    private readonly ConstantPool _constants;
    private readonly int[] _firstNames;
    private readonly ImmutableArray<InstructionFacts>[] _functions;

    /// <summary>Facts about a loaded program. A function is analysed when it is first asked for.</summary>
    /// <param name="program">The program.</param>
    public KindFacts(ZexusProgram program)
    {
        ArgumentNullException.ThrowIfNull(program);
        _code = program.Translation ?? TranslatedProgram.Of(program.Image);
        _constants = new ConstantPool(_code.ToProgram());
        _firstNames = FramePlaces.FirstNames(_code.Source);
        _functions = new ImmutableArray<InstructionFacts>[_code.Functions.Length];
    }

    /// <summary>The facts before each instruction of a function.</summary>
    /// <param name="function">Its place in the function table.</param>
    public ImmutableArray<InstructionFacts> Of(int function)
    {
        ref ImmutableArray<InstructionFacts> facts = ref _functions[function];
        if (facts.IsDefault)
        {
            facts = Analyse(
                new KindAnalysis(_code.Source, new FramePlaces(_code.Source, function, _firstNames), _constants),
                new FunctionGraph(function, _code.Functions[function])
            );
        }

        return facts;
    }

    private static Place Cell(int cell) => new Place.Stack(cell);

    private static ImmutableArray<InstructionFacts> Analyse(KindAnalysis analysis, FunctionGraph graph)
    {
        analysis.Run(graph);
        ImmutableArray<InstructionFacts>.Builder facts = ImmutableArray.CreateBuilder<InstructionFacts>(graph.Count);
        Knowledge? knowledge = null;
        Fact[]? variables = null;
        ImmutableArray<KindFact> frame = [];
        for (Node node = graph.First; !node.IsEnd; node = node.Next!)
        {
            if (node.Arrivals > 0 || node.Previous is null)
            {
                knowledge = node.Entry;
            }

            if (knowledge is null)
            {
                facts.Add(Nowhere);
                continue;
            }

            if (!ReferenceEquals(knowledge.Variables, variables))
            {
                variables = knowledge.Variables;
                frame = analysis.FrameFacts(knowledge);
            }

            facts.Add(new InstructionFacts(true, StackFacts(knowledge), frame));
            knowledge = node.Facts.GoesOn ? analysis.After(node, knowledge) : null;
        }

        return facts.MoveToImmutable();
    }

    private static ImmutableArray<KindFact> StackFacts(Knowledge knowledge)
    {
        int height = knowledge.Height;
        if (height == 0)
        {
            return [];
        }

        ImmutableArray<KindFact>.Builder facts = ImmutableArray.CreateBuilder<KindFact>(height);
        for (Knowledge rest = knowledge; rest.Height > 0; rest = rest.Pop(1))
        {
            Fact fact = rest.Stack(0);
            if (fact != Fact.Unknown)
            {
                int cell = rest.Height - 1;
                facts.Add(new KindFact(cell < Cells.Length ? Cells[cell] : Cell(cell), fact.Kinds, fact.Small));
            }
        }

        return facts.DrainToImmutable();
    }
}
