using System.Numerics;
using Microsoft.FSharp.Collections;
using Microsoft.FSharp.Core;
using Zexus.Cli.Output;
using Zexus.Isa;
using Zexus.Spec;
using Zexus.Vm;

namespace Zexus.Cli.Engines;

/// <summary>The executable specification. Nothing else in the command line touches it, so that other paths do not load it.</summary>
internal sealed class Oracle : IEngine
{
    /// <summary>As --engine names it, and --help its default.</summary>
    public override string ToString() => "oracle";

    public string Name => "oracle";

    public ILoadedProgram? Load(Program program, out Refusal? refusal)
    {
        FSharpResult<Loaded, Refusal> result = Validation.validate(Limits.Default, program);
        refusal = result.IsOk ? null : result.ErrorValue;
        return result.IsOk ? new LoadedProgram(result.ResultValue) : null;
    }

    /// <summary>The branches of a rule, by its name.</summary>
    public static IReadOnlyList<string> Branches(string rule) =>
        Zexus.Spec.Branches.byRule.FirstOrDefault(row => row.Item1 == rule)?.Item2.ToArray() ?? [];

    private sealed class LoadedProgram(Loaded loaded) : ILoadedProgram
    {
        public Execution Run(Inputs inputs, CancellationToken cancellation)
        {
            StepGuards guards = new(inputs);
            State state = Machine.start(loaded, ContextOf(inputs));
            for (long steps = 1; ; steps++)
            {
                cancellation.ThrowIfCancellationRequested();
                guards.Before(steps);
                switch (Machine.step(state))
                {
                    case Machine.Step.Running running:
                        state = running.Item;
                        break;
                    case Machine.Step.Finished finished:
                        return ExecutionOf(finished.Item1, finished.Item2, steps);
                }
            }
        }

        public Execution? Trace(
            Inputs inputs,
            TraceDetail detail,
            Func<TraceStep, bool> visit,
            CancellationToken cancellation
        )
        {
            StepGuards guards = new(inputs);
            State state = Machine.start(loaded, ContextOf(inputs));
            for (long steps = 1; ; steps++)
            {
                cancellation.ThrowIfCancellationRequested();
                guards.Before(steps);
                Machine.Step step = Machine.step(state);
                State after = step switch
                {
                    Machine.Step.Running running => running.Item,
                    Machine.Step.Finished finished => finished.Item1,
                    _ => throw new InvalidOperationException("An operation on known values is opaque."),
                };
                if (!visit(StepOf(steps, state, after, detail)))
                {
                    return null;
                }

                if (step is Machine.Step.Finished end)
                {
                    return ExecutionOf(end.Item1, end.Item2, steps);
                }

                state = after;
            }
        }

        private static TraceStep StepOf(long number, State before, State after, TraceDetail detail) =>
            new()
            {
                Number = number,
                Contract = before.Context.Contract,
                Depth = before.Depth,
                Function = before.Frame.Function,
                Instruction = before.Frame.Instruction,
                Rule = after.Rule,
                Branches = [.. after.Reached.Reverse().Select(b => Zexus.Spec.Branches.name(b.Item1, b.Item2))],
                GasUsed = Known(after.GasUsed),
                Stack =
                [
                    .. after
                        .Frame.Stack.Take(detail.Cells)
                        .Select(value => OracleValues.ToNode(after, value, detail.Nodes))
                        .Reverse(),
                ],
            };

        private static Context ContextOf(Inputs inputs)
        {
            FSharpMap<string, Plain> state = new(
                inputs.State.Select(entry => Tuple.Create(entry.Key, PlainModule.ofData(entry.Value)))
            );
            return new Context(
                inputs.Contract,
                new Spec.Entry(inputs.Function, ListModule.OfSeq(inputs.Arguments.Select(PlainModule.ofData))),
                Zexus.Spec.Int.NewKnown(inputs.Gas),
                inputs.Timestamp,
                inputs.Height,
                inputs.Caller,
                state,
                MapModule.Empty<string, Spec.HostFunction>(),
                FuncConvert.FromFunc<string, string, string, bool>(Differential.ReferenceSignatures.verify),
                ContractsOf(inputs)
            );
        }

        private static FSharpMap<string, Spec.Contract> ContractsOf(Inputs inputs) =>
            new(
                inputs.Contracts.Select(callable =>
                    Tuple.Create(
                        callable.Id,
                        new Spec.Contract(
                            Validation.validate(Limits.Default, callable.Program.Program).ResultValue,
                            StateOf(callable.State)
                        )
                    )
                )
            );

        private static FSharpMap<string, Plain> StateOf(IStateSource source) =>
            source is StateInMemory state
                ? new(state.State.Select(entry => Tuple.Create(entry.Key, PlainModule.ofData(entry.Value))))
                : throw new InvalidOperationException("The oracle takes states as a whole.");

        private static BigInteger Known(Zexus.Spec.Int number) => ((Zexus.Spec.Int.Known)number).Item;

        /// <summary>The keys of a called contract that are not as they were.</summary>
        private static SortedDictionary<string, Node> Written(State end, string id, FSharpMap<string, Plain> after)
        {
            FSharpMap<string, Plain> before = end.Context.Contracts[id].State;
            return new(
                after
                    .Where(entry => !before.TryGetValue(entry.Key, out Plain? was) || !was.Equals(entry.Value))
                    .ToDictionary(entry => entry.Key, entry => OracleValues.OfPlain(entry.Value)),
                StringComparer.Ordinal
            );
        }

        private static Execution ExecutionOf(State end, Machine.Ending ending, long steps) =>
            new()
            {
                Ending = ending switch
                {
                    Machine.Ending.Faulted faulted => new Ending(
                        OracleValues.ToNode(end, faulted.value),
                        faulted.fault,
                        faulted.rule,
                        faulted.func,
                        faulted.instruction
                    ),
                    Machine.Ending.Completed completed => Ending.Completed(OracleValues.ToNode(end, completed.Item)),
                    _ => throw new InvalidOperationException("An ending is one of two."),
                },
                GasUsed = Known(end.GasUsed),
                Steps = steps,
                Output = Machine.output(end),
                State = new SortedDictionary<string, Node>(
                    end.World.State.ToDictionary(e => e.Key, e => OracleValues.OfPlain(e.Value)),
                    StringComparer.Ordinal
                ),
                CalledWrites = end.World.Called.ToDictionary(
                    called => called.Key,
                    IReadOnlyDictionary<string, Node> (called) => Written(end, called.Key, called.Value),
                    StringComparer.Ordinal
                ),
                Ledger = [.. end.World.Ledger.Reverse().Select(e => (e.Contract, OracleValues.OfPlain(e.Entry)))],
                Events =
                [
                    .. end.World.Events.Reverse().Select(e => (e.Contract, e.Name, OracleValues.OfPlain(e.Payload))),
                ],
                Audit =
                [
                    .. end
                        .Audit.Reverse()
                        .Select(e =>
                            (e.Contract, OracleValues.OfPlain(e.Data), OracleValues.OfPlain(e.Action), e.Timestamp)
                        ),
                ],
            };
    }
}
