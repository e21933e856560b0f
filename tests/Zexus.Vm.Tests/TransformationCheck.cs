using System.Collections.Immutable;
using System.Globalization;
using Xunit;
using Zexus.Isa;

namespace Zexus.Vm.Tests;

/// <summary>
/// What a pass over a whole function claims, looked at while its code before and after runs: both come by the cut points in one order,
/// with the same gas and the same values but for what is claimed dead, and what is claimed holds. The prover proves what is sampled here.
/// </summary>
internal static class TransformationCheck
{
    /// <summary>The first thing that is wrong; null when nothing is.</summary>
    public static string? FirstProblem(ZexusProgram source, OptimizationResult result) =>
        FirstProblem(source, result.Program.Constants, result.Transformations);

    /// <summary>The same of a conversion to register form.</summary>
    public static string? FirstProblem(ZexusProgram source, ConversionResult result) =>
        FirstProblem(source, result.Program.Constants, result.Transformations);

    private static string? FirstProblem(
        ZexusProgram source,
        ImmutableArray<Data> constants,
        ImmutableArray<Transformation> transformations
    )
    {
        TranslatedProgram asItIs = TranslatedProgram.Of(source.Image);
        using Vm vm = new(new VmOptions { GasLimit = 20_000 });
        foreach (Transformation transformation in transformations)
        {
            string? problem = ProblemOfCuts(transformation);
            if (problem is null)
            {
                Trace before = Run(transformation.Before, isAfter: false);
                Trace after = Run(transformation.After, isAfter: true);
                problem =
                    before.Broken
                    ?? after.Broken
                    ?? (before.Outcome != after.Outcome ? $"{before.Outcome} became {after.Outcome}" : null)
                    ?? FirstDifference(before.Visits, after.Visits);
            }

            if (problem is not null)
            {
                return $"{transformation.Pass} of function {transformation.Function}: {problem}\n"
                    + $"before\n{Spell(transformation.Before)}\nafter\n{Spell(transformation.After)}\n"
                    + string.Join(
                        '\n',
                        transformation.Cuts.Select(cut => $"{cut.Before} {cut.After} {string.Join(", ", cut.Claims)}")
                    );
            }

            Trace Run(TranslatedFunction code, bool isAfter)
            {
                TranslatedProgram program = new(
                    source.Image,
                    constants,
                    asItIs.Functions.SetItem(transformation.Function, code),
                    2
                );
                Trace trace = new(transformation, constants, isAfter);
                Hook hook = new(trace);
                trace.Outcome = Observables.Of(vm.Execute(ZexusProgram.Load(program, source.Limits), ref hook));
                return trace;
            }
        }

        return null;
    }

    private static string? FirstDifference(List<string> before, List<string> after)
    {
        for (int i = 0; i < Math.Min(before.Count, after.Count); i++)
        {
            if (before[i] != after[i])
            {
                return $"visit {i}:\n  {before[i]}\n  {after[i]}";
            }
        }

        return before.Count == after.Count ? null : $"{before.Count} visits of cut points became {after.Count}";
    }

    /// <summary>Every cycle of both sides has a cut point, every handler is one, and all claims are of the form that they must have.</summary>
    private static string? ProblemOfCuts(Transformation it)
    {
        CutPoint[] cuts = [.. it.Cuts];
        if (cuts.Length == 0 || cuts[0].Before != 0 || cuts[0].After != 0)
        {
            return "the entry is no cut point";
        }

        for (int i = 1; i < cuts.Length; i++)
        {
            if (cuts[i].Before <= cuts[i - 1].Before || cuts[i].After <= cuts[i - 1].After)
            {
                return "the cut points are not in ascending order";
            }
        }

        HashSet<int> before = [.. cuts.Select(cut => cut.Before)];
        HashSet<int> after = [.. cuts.Select(cut => cut.After)];
        bool threaded = it.Pass == "jump threading";
        for (int i = 0; i < it.After.Code.Length; i++)
        {
            if (
                Target(it.After.Code[i]) is { } target
                && target < it.After.Code.Length
                && (!threaded || target <= i || it.After.Code[i].Opcode.IsSETUP_TRY)
                && !after.Contains(target)
            )
            {
                return $"{target} is no cut point after it";
            }
        }

        HashSet<int> handlers = [];
        for (int i = 0; i < it.Before.Code.Length; i++)
        {
            if (Target(it.Before.Code[i]) is not { } target || target == it.Before.Code.Length)
            {
                continue;
            }

            if (it.Before.Code[i].Opcode.IsSETUP_TRY)
            {
                _ = handlers.Add(target);
            }

            // What nothing reaches need not be there any more.
            bool wanted = threaded
                ? target <= i || handlers.Contains(target)
                : it.Pass is not ("unreachable code" or "register form");
            if (wanted && !before.Contains(target))
            {
                return $"{target} is no cut point before it";
            }
        }

        foreach (CutPoint cut in cuts)
        {
            if (cut.Claims.Select(claim => (claim.GetType(), claim.Place)).Distinct().Count() != cut.Claims.Length)
            {
                return $"one claim twice at {cut.Before}";
            }

            HashSet<Place> notOriginal =
            [
                .. cut
                    .Claims.Where(claim => claim is Claim.Dead or Claim.Copy or Claim.Constant)
                    .Select(claim => claim.Place),
            ];
            if (cut.Claims.Any(claim => claim is Claim.Copy copy && notOriginal.Contains(copy.Original)))
            {
                return $"a copy of a copy at {cut.Before}";
            }

            if (
                handlers.Contains(cut.Before)
                && cut.Claims.Any(claim => claim is not (Claim.Dead or Claim.Home or Claim.Held))
            )
            {
                return $"a claim of what a handler finds at {cut.Before}";
            }
        }

        return null;
    }

    private static int? Target(TranslatedInstruction instruction)
    {
        int operand = Array.FindIndex(InstructionSet.Of(instruction.Opcode).Operands, it => it.Kind.IsTarget);
        return operand < 0 ? null : (int)instruction.A;
    }

    private static string Spell(TranslatedFunction function) =>
        string.Join(
            '\n',
            function.Code.Select((it, i) => $"{i, 4} {it.Opcode} {it.A} {it.B} {it.C}  {string.Join(", ", it.Charges)}")
        );

    private readonly struct Hook(Trace trace) : IStepHook
    {
        public void BeforeStep(in MachineView view) => trace.BeforeStep(view);
    }

    /// <summary>What an execution shows at the cut points.</summary>
    private sealed class Trace
    {
        private readonly Transformation _transformation;
        private readonly ImmutableArray<Data> _constants;
        private readonly Dictionary<int, CutPoint> _cuts;
        private readonly bool _isAfter;

        public Trace(Transformation transformation, ImmutableArray<Data> constants, bool isAfter)
        {
            _transformation = transformation;
            _constants = constants;
            _isAfter = isAfter;
            _cuts = transformation.Cuts.ToDictionary(cut => isAfter ? cut.After : cut.Before);
        }

        public List<string> Visits { get; } = [];

        public string? Broken { get; private set; }

        public string Outcome { get; set; } = "";

        public void BeforeStep(in MachineView view)
        {
            if (
                view.Function != _transformation.Function
                || !_cuts.TryGetValue(view.Instruction, out CutPoint? cut)
                || Visits.Count > 300
            )
            {
                return;
            }

            HashSet<Place> dead =
            [
                .. cut.Claims.Where(claim => claim is Claim.Dead or Claim.Held).Select(claim => claim.Place),
                .. cut.Claims.OfType<Claim.Home>().Select(claim => claim.Register),
            ];
            Dictionary<Place, Place> homes = cut
                .Claims.OfType<Claim.Home>()
                .ToDictionary(claim => claim.Place, claim => claim.Register);
            List<string> values = [];
            for (int i = 0; i < view.VariableCount; i++)
            {
                Place place = new Place.Variable(i);
                values.Add(
                    dead.Contains(place) ? "dead"
                    : _isAfter && homes.TryGetValue(place, out Place? home) ? Of(view, home)
                    : Show(view.Variable(i))
                );
            }

            for (int i = 0; i < Limits.Registers; i++)
            {
                values.Add(dead.Contains(new Place.Register(i)) ? "dead" : Show(view.Register(i)));
            }

            for (int i = 0; i < view.StackHeight; i++)
            {
                values.Add(Show(view.Stack(i)));
            }

            Visits.Add($"{cut.Before} at depth {view.FrameDepth}, gas {view.GasUsed}: {string.Join(' ', values)}");
            foreach (Claim claim in cut.Claims)
            {
                string value = Of(view, claim.Place);
                bool holds = claim switch
                {
                    Claim.Constant it => value == Show(_constants[it.Index]),
                    Claim.Copy it => value == Of(view, it.Original),
                    Claim.Held it => !_isAfter || value == Show(_constants[it.Index]),
                    Claim.OfKind it => value.StartsWith(it.Kind.ToString(), StringComparison.Ordinal),
                    _ => true,
                };
                if (!holds)
                {
                    Broken ??= $"{claim} does not hold at {view.Instruction}: {value}";
                }
            }
        }

        private static string Of(in MachineView view, Place place) =>
            place switch
            {
                Place.Variable it => Show(view.Variable(it.Slot)),
                Place.Register it => Show(view.Register(it.Number)),
                Place.Stack it => Show(view.Stack(it.Cell)),
                _ => throw new InvalidOperationException($"no reading of {place}"),
            };

        private static string Show(HeapValue value) =>
            value.Kind switch
            {
                ValueKind.Bool => $"Bool({value.AsBool})",
                ValueKind.Int => $"Int({value.AsInteger})",
                ValueKind.Float => $"Float({BitConverter.DoubleToInt64Bits(value.AsFloat)})",
                ValueKind.String => $"String({value.AsString})",
                _ => $"{value.Kind}({value.Count})",
            };

        private static string Show(Data data) =>
            data switch
            {
                Data.Bool it => $"Bool({it.value})",
                Data.Int it => string.Create(CultureInfo.InvariantCulture, $"Int({it.value})"),
                Data.Float it => $"Float({BitConverter.DoubleToInt64Bits(it.value)})",
                Data.String it => $"String({it.value})",
                _ => "Null(0)",
            };
    }
}
