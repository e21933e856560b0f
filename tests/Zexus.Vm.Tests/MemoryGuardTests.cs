using System.Diagnostics.CodeAnalysis;
using Xunit;
using Zexus.Isa;

namespace Zexus.Vm.Tests;

/// <summary>The guard of memory counts whatever a program can make grow, in each form, and nothing stays behind.</summary>
public class MemoryGuardTests
{
    private const long Limit = 16 << 20;

    /// <summary>Twenty times one String of 200,000 scalars, each of which is twelve bytes when it is hashed.</summary>
    private const string FacesInAList = """
            LOAD_CONST "\u{1F600}"
            LOAD_CONST 200000
            MUL
            BUILD_LIST 1
            LOAD_CONST 20
            MUL
        """;

    /// <summary>Programs that want more and more memory of one kind until a guard or the gas ends them.</summary>
    private static readonly Dictionary<string, string> Hungry = new()
    {
        ["Lists"] = """
            .func main() locals all
                BUILD_LIST 0
                STORE_NAME all
            again:
                LOAD_NAME all
                BUILD_LIST 0
                CALL_METHOD push, 1
                POP
                JUMP again
            .end
            """,
        ["handlers"] = """
            .func main()
            again:
                SETUP_TRY caught
                JUMP again
            caught:
                RETURN
            .end
            """,
        ["open transactions"] = """
            .func main()
            again:
                TX_BEGIN
                JUMP again
            .end
            """,
        ["what a revert brings back"] = """
            .func main()
                TX_BEGIN
            again:
                LOAD_CONST "k"
                LOAD_CONST 1
                STATE_WRITE
                JUMP again
            .end
            """,
        ["frames"] = $"""
            .func main() locals {string.Join(", ", Enumerable.Range(0, 1000).Select(i => $"v{i}"))}
                {string.Concat(Enumerable.Repeat("LOAD_CONST 1\n", 300))}
                CALL_FUNC_CONST main, 0
                RETURN
            .end
            """,
        ["the ledger"] = """
            .func main()
            again:
                LOAD_CONST "an entry"
                LEDGER_APPEND
                JUMP again
            .end
            """,
        ["events"] = """
            .func main()
            again:
                LOAD_CONST "an event"
                EMIT_EVENT happened
                JUMP again
            .end
            """,
        ["the audit log"] = """
            .func main()
            again:
                LOAD_CONST "a subject"
                LOAD_CONST "an action"
                AUDIT_LOG
                JUMP again
            .end
            """,
        ["output"] = """
            .func main()
            again:
                LOAD_CONST "a line"
                PRINT
                JUMP again
            .end
            """,
        ["keys that a source has not"] = Reading("missing"),
        ["keys that a source has"] = Reading("found"),
        ["a result"] = """
            .func main()
                LOAD_CONST 1
                BUILD_LIST 1
                LOAD_CONST 1000000
                MUL
            .end
            """,
        ["what is written, for the host"] = """
            .func main()
                LOAD_CONST "k"
                LOAD_CONST 1.5
                BUILD_LIST 1
                LOAD_CONST 1000000
                MUL
                STATE_WRITE
            .end
            """,
        ["writes of contracts that have returned"] = """
            .func main()
            again:
                LOAD_CONST "keeper"
                LOAD_CONST "keep"
                CALL_BUILTIN call_contract, 2
                POP
                JUMP again
            .end
            """,
        ["what is hashed"] = $$"""
            .func main()
            {{FacesInAList}}
                HASH_BLOCK
            .end
            """,
        ["leaves of a tree"] = $$"""
            .func main()
            {{FacesInAList}}
                DUP
                MERKLE_ROOT 2
            .end
            """,
        ["what is written and has one List many times"] = """
            .func main()
                LOAD_CONST "k"
                LOAD_CONST true
                BUILD_LIST 1
                LOAD_CONST 1000000
                MUL
                BUILD_LIST 1
                LOAD_CONST 8
                MUL
                STATE_WRITE
            .end
            """,
        ["what a host function is given"] = """
            .func main()
                LOAD_CONST 1
                BUILD_LIST 1
                LOAD_CONST 1000
                MUL
                BUILD_LIST 1
                LOAD_CONST 1000
                MUL
                CALL_BUILTIN host, 1
            .end
            """,
        ["output, and the host's copy of it"] = """
            .func main() locals i
                STORE_CONST i, 0
            again:
                LOAD_CONST "as long as a line of a program is, some hundred characters, or a little less"
                PRINT
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST 80000
                LT
                JUMP_IF_TRUE again
            .end
            """,
        ["half of it for each of two"] = """
            .func main() locals i
                STORE_CONST i, 0
            again:
                LOAD_CONST "an entry"
                LEDGER_APPEND
                LOAD_CONST "an event"
                EMIT_EVENT happened
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST 900000
                LT
                JUMP_IF_TRUE again
            .end
            """,
    };

    private const string Keeper = """
        .func main()
        .end

        .func keep()
            LOAD_CONST "k"
            LOAD_CONST 1
            STATE_WRITE
        .end
        """;

    /// <summary>Takes four million bytes.</summary>
    private const string Fill = """
            LOAD_CONST 0.5
            BUILD_LIST 1
            LOAD_CONST 400000
            MUL
            GET_LENGTH
        """;

    public static TheoryData<string, string> Programs
    {
        get
        {
            TheoryData<string, string> all = [];
            foreach (string program in Hungry.Keys)
            {
                foreach (string form in ContractCallTests.Forms)
                {
                    all.Add(program, form);
                }
            }

            return all;
        }
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public void Whatever_grows_is_counted(string program, string form)
    {
        Contracts contracts = new Contracts().Add("keeper", new Contract(ContractCallTests.Load(Keeper)));
        VmOptions options = ContractCallTests.Options(form, contracts) with
        {
            GasLimit = long.MaxValue,
            MemoryLimit = Limit,
            Source = new Endless(),
            Host = new HostFunctions().Register(
                "host",
                1,
                1,
                HostEffects.None,
                _ => throw new InvalidOperationException("it was given all of it")
            ),
        };
        Vm vm = new(options);
        MemoryGuard guard = vm.Guard;
        ZexusProgram hungry = ContractCallTests.Load(Hungry[program]);
        long allocated = long.MaxValue;
        for (int i = 0; i < 2; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            HostGuardException stop = Assert.Throws<HostGuardException>(() => vm.Execute(hungry));
            Assert.Equal((HostGuard.Memory, Limit), (stop.Guard, stop.Limit));
            allocated = Math.Min(allocated, GC.GetAllocatedBytesForCurrentThread() - before);
            Assert.InRange(guard.Taken, 0, Limit);
        }

        // Nothing was made of .NET's objects before it was asked for; what reads or prints makes a text each time.
        Assert.InRange(allocated, 0, program.StartsWith("keys", StringComparison.Ordinal) ? long.MaxValue : 4 * Limit);

        // What the last one took is there for the next, and with enough it comes to its end.
        ExecutionResult small = vm.Execute(
            ContractCallTests.Load(Hungry["a result"].Replace("1000000", "10000", StringComparison.Ordinal))
        );
        Assert.Equal(10_000, small.Value.Items.Count);
        vm.Options = options with { GasLimit = 300_000, MemoryLimit = 1L << 30 };
        _ = vm.Execute(hungry);
        vm.Dispose();
        Assert.Equal(0, guard.Taken);
    }

    /// <summary>A Vm that has executed something large keeps memory, and that is no more for the next execution than its limit.</summary>
    [Fact]
    public void An_execution_has_no_more_than_its_limit_after_a_large_one()
    {
        // Small cells only, which come out of the arenas that are kept.
        ZexusProgram chain = ContractCallTests.Load(
            """
            .func main() locals all
            again:
                LOAD_NAME all
                BUILD_LIST 1
                STORE_NAME all
                JUMP again
            .end
            """
        );
        using Vm vm = new(new VmOptions { GasLimit = 30_000_000, MemoryLimit = 1L << 30 });
        Assert.Equal(Fault.OutOfGas, vm.Execute(chain).Fault);
        vm.Options = vm.Options with { MemoryLimit = Limit };
        Assert.Equal(Limit, Assert.Throws<HostGuardException>(() => vm.Execute(chain)).Limit);
        Assert.InRange(vm.Guard.Taken, 0, Limit);
    }

    /// <summary>The heaps of contracts whose calls have ended are counted, and go when the memory is wanted.</summary>
    [Theory]
    [InlineData("interpreted")]
    [InlineData("threaded")]
    [InlineData("compiled")]
    public void What_is_kept_for_the_next_call_goes_when_memory_is_short(string form)
    {
        // Each calls the next before it takes memory, so that as many machines have some as there are contracts.
        Contracts contracts = new();
        for (int i = 0; i < 8; i++)
        {
            string next = i == 7 ? "" : Call(i + 1);
            ZexusProgram program = ContractCallTests.Load($".func main()\n.end\n.func fill()\n{next}{Fill}\n.end");
            contracts.Add($"c{i}", new Contract(program));
        }

        VmOptions options = ContractCallTests.Options(form, contracts) with { MemoryLimit = Limit };
        Vm vm = new(options);
        MemoryGuard guard = vm.Guard;
        for (int i = 0; i < 2; i++)
        {
            ExecutionResult result = vm.Execute(ContractCallTests.Load($".func main()\n{Call(0)}{Fill}\n.end"));
            Assert.Equal(400_000, (int)result.Value.AsInteger);
            Assert.InRange(guard.Taken, 0, Limit);
        }

        vm.Dispose();
        Assert.Equal(0, guard.Taken);

        static string Call(int contract) =>
            $"LOAD_CONST \"c{contract}\"\nLOAD_CONST \"fill\"\nCALL_BUILTIN call_contract, 2\nPOP\n";
    }

    /// <summary>What a source has said is kept from one execution to the next, until it is too much.</summary>
    [Fact]
    public void What_was_learned_of_a_source_is_forgotten_between_executions_before_it_takes_all()
    {
        Endless source = new();
        using Vm vm = new(
            new VmOptions
            {
                GasLimit = 1_000_000,
                MemoryLimit = Limit,
                Source = source,
            }
        );
        ZexusProgram reading = ContractCallTests.Load(Reading("missing"));
        int first = Asked(() => vm.Execute(reading));
        Assert.Equal(0, Asked(() => vm.Execute(reading)));
        ZexusProgram others = ContractCallTests.Load(Reading("others"));
        vm.Options = vm.Options with { GasLimit = 3_000_000 };
        Assert.True(Asked(() => vm.Execute(others)) > 2 * first);
        vm.Options = vm.Options with { GasLimit = 1_000_000 };
        Assert.Equal(first, Asked(() => vm.Execute(reading)));

        int Asked(Func<ExecutionResult> execute)
        {
            int before = source.Asked;
            Assert.Equal(Fault.OutOfGas, execute().Fault);
            return source.Asked - before;
        }
    }

    /// <summary>Reads the state, itself or by calling a contract, which has no table of the host's state.</summary>
    private static (ZexusProgram Program, VmOptions Options) ReaderOf(IStateSource source, bool isCalled)
    {
        ZexusProgram reader = ContractCallTests.Load(
            """
            .func main()
                LOAD_CONST "k"
                STATE_READ
                LOAD_CONST "l"
                STATE_READ
                LOAD_CONST 1
            .end
            """
        );
        return isCalled
            ? (
                ContractCallTests.Load(
                    """
                    .func main()
                        LOAD_CONST "reader"
                        LOAD_CONST "main"
                        CALL_BUILTIN call_contract, 2
                    .end
                    """
                ),
                new VmOptions { Contracts = new Contracts().Add("reader", new Contract(reader, source)) }
            )
            : (reader, new VmOptions { Source = source });
    }

    /// <summary>The gas from which a source is asked for the value is what it takes to pay for it, to the unit.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_source_makes_nothing_that_cannot_be_paid(bool isCalled)
    {
        Assert.Equal(
            3000,
            FirstGas(Data.NewList([.. Enumerable.Repeat(Data.NewString("seventeen letters"), 1000)]))
                - FirstGas(Data.Null)
        );

        long FirstGas(Data value)
        {
            Maker source = new(value) { Weight = DataVisitor.Weight(value) };
            (ZexusProgram program, VmOptions options) = ReaderOf(source, isCalled);
            for (long gas = 1; ; gas++)
            {
                using Vm vm = new(options with { GasLimit = gas });
                ExecutionResult result = vm.Execute(program);
                if (source.Made > 0)
                {
                    return gas;
                }

                AssertOutOfGas(result, isCalled);
            }
        }
    }

    /// <summary>Who calls a contract catches its faults.</summary>
    private static void AssertOutOfGas(ExecutionResult result, bool isCalled)
    {
        if (result.Fault == Fault.Thrown && isCalled)
        {
            Assert.Contains(
                result.FaultValue!.Entries,
                entry => entry is { Key.AsString: "fault", Value.AsString: nameof(Fault.OutOfGas) }
            );
        }
        else
        {
            Assert.Equal(Fault.OutOfGas, result.Fault);
        }
    }

    /// <summary>Whatever a source leaves there, and however large it says a value is.</summary>
    [Fact]
    public void A_source_may_say_nonsense()
    {
        using Vm vm = new(new VmOptions { Source = new Deleted(), MemoryLimit = Limit });
        ZexusProgram program = ContractCallTests.Load(".func main()\nLOAD_CONST \"k\"\nSTATE_READ\n.end");
        Assert.Equal(ValueKind.Null, vm.Execute(program).Value.Kind);
        foreach (long memory in (long[])[long.MaxValue, long.MinValue])
        {
            Maker source = new(Data.NewString("v")) { Memory = memory };
            using Vm other = new(new VmOptions { Source = source, MemoryLimit = Limit });
            Assert.Equal(memory < 0, Record.Exception(() => other.Execute(program)) is null);
            Assert.Equal(memory < 0 ? 1 : 0, source.Made);
        }
    }

    private sealed class Deleted : IStateSource
    {
        public bool TryRead(string key, [MaybeNullWhen(false)] out Data value)
        {
            value = Data.NewString("what stood there");
            return false;
        }
    }

    /// <summary>What is in memory already is not copied either.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_a_source_has_is_not_copied_when_it_cannot_be_paid(bool isCalled)
    {
        Maker source = new(Data.NewList([.. Enumerable.Repeat(Data.NewString("a"), 100_000)]));
        (ZexusProgram program, VmOptions options) = ReaderOf(source, isCalled);
        Assert.True(Taken(99_000) < 500_000);
        Assert.True(Taken(300_000) > 1_000_000);

        long Taken(long gas)
        {
            using Vm vm = new(options with { GasLimit = gas });
            ExecutionResult result = vm.Execute(program);
            if (gas < 100_000)
            {
                AssertOutOfGas(result, isCalled);
            }
            else
            {
                Assert.True(result.IsCompleted);
            }

            return Math.Max(vm.Guard.Taken, result.Heap.PeakBytes);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_source_makes_nothing_that_there_is_no_memory_for(bool isCalled)
    {
        Maker source = new(Data.NewString("short")) { Memory = Limit + 1 };
        (ZexusProgram program, VmOptions options) = ReaderOf(source, isCalled);
        using Vm vm = new(options with { MemoryLimit = Limit });
        HostGuardException stopped = Assert.Throws<HostGuardException>(() => vm.Execute(program));
        Assert.Equal(HostGuard.Memory, stopped.Guard);
        Assert.Equal(0, source.Made);
        // Each for itself: the first is in the heap when the second is measured.
        source.Memory = Limit / 4 * 3;
        Assert.True(vm.Execute(program).IsCompleted);
        Assert.Equal(2, source.Made);
        Assert.InRange(vm.Guard.Taken, 0, Limit / 4);
    }

    /// <summary>A contract that waits has frames, whether or not they are deep.</summary>
    [Fact]
    public void Frames_of_every_contract_that_waits_are_counted()
    {
        const long frames = 256 * 1024;
        Assert.InRange((TakenIn(11) - TakenIn(1)) / 10, frames, 2 * frames);

        static long TakenIn(int contracts)
        {
            long taken = 0;
            HostFunctions host = new();
            Contracts chain = new();
            using Vm vm = new(new VmOptions { Host = host, Contracts = chain });
            MemoryGuard guard = vm.Guard;
            _ = host.Register(
                "look",
                0,
                1,
                HostEffects.ReadsHost,
                _ =>
                {
                    taken = guard.Taken;
                    return HostOutcome.Returned(Data.Null);
                }
            );
            for (int i = 0; i < contracts; i++)
            {
                string body =
                    i + 1 < contracts
                        ? $"""
                                LOAD_CONST "c{i + 1}"
                                LOAD_CONST "main"
                                CALL_BUILTIN call_contract, 2
                            """
                        : "    CALL_BUILTIN look, 0";
                _ = chain.Add($"c{i}", new Contract(ContractCallTests.Load($".func main()\n{body}\n.end")));
            }

            ZexusProgram program = ContractCallTests.Load(
                ".func main()\nLOAD_CONST \"c0\"\nLOAD_CONST \"main\"\nCALL_BUILTIN call_contract, 2\n.end"
            );
            Assert.True(vm.Execute(program).IsCompleted);
            return taken;
        }
    }

    /// <summary>Makes what stands under every key.</summary>
    private sealed class Maker(Data made) : IStateSource
    {
        public long Weight { get; init; }

        public long Memory { get; set; }

        public int Made { get; private set; }

        public bool TryRead(string key, [MaybeNullWhen(false)] out Data value)
        {
            Made++;
            value = made;
            return true;
        }

        public DataSize Measure(string key, long most) => new(Weight, Memory);
    }

    /// <summary>The host's own state is what it is.</summary>
    [Fact]
    public void The_state_that_the_host_gives_is_not_counted()
    {
        Dictionary<string, Data> state = Enumerable
            .Range(0, 40)
            .ToDictionary(i => $"k{i}", _ => Data.NewString(new string('x', 1_000_000)));
        VmOptions options = new()
        {
            State = state,
            Source = new Endless(),
            MemoryLimit = Limit,
        };
        Vm vm = new(options);
        MemoryGuard guard = vm.Guard;
        ExecutionResult result = vm.Execute(
            ContractCallTests.Load(".func main()\nLOAD_CONST \"k7\"\nSTATE_READ\nGET_LENGTH\n.end")
        );
        Assert.Equal(1_000_000, (int)result.Value.AsInteger);
        Assert.InRange(guard.Taken, 0, 2 << 20);
        vm.Dispose();
        Assert.Equal(0, guard.Taken);
    }

    /// <summary>A limit is for what is in use: what is garbage goes before a log, the output, the copies for a result or a source are refused theirs.</summary>
    [Theory]
    [InlineData("LOAD_NAME text\nLEDGER_APPEND", "LOAD_CONST 1", "interpreted", 5)]
    [InlineData("LOAD_NAME text\nLEDGER_APPEND", "LOAD_CONST 1", "compiled", 5)]
    [InlineData("LOAD_NAME text\nPRINT", "LOAD_CONST 1", "interpreted", 10)]
    [InlineData("LOAD_NAME text\nPRINT", "LOAD_CONST 1", "compiled", 10)]
    [InlineData("LOAD_NAME text\nLOAD_NAME text\nAUDIT_LOG", "LOAD_CONST 1", "threaded", 5)]
    [InlineData("LOAD_NAME text\nEMIT_EVENT e", "LOAD_CONST 1", "compiled", 5)]
    [InlineData("LOAD_NAME text\nHASH_BLOCK\nPOP", "LOAD_CONST 1", "compiled", 3)]
    [InlineData("NOP", "LOAD_CONST 1\nBUILD_LIST 1\nLOAD_CONST 20000\nMUL", "interpreted", 5)]
    [InlineData("NOP", "LOAD_CONST 1\nBUILD_LIST 1\nLOAD_CONST 20000\nMUL", "compiled", 5)]
    public void Garbage_goes_before_anything_is_refused(string step, string result, string form, int limit)
    {
        ZexusProgram program = ContractCallTests.Load(
            $"""
            .func main() locals i, text
                STORE_CONST i, 0
            again:
                LOAD_CONST "x"
                LOAD_CONST 15000
                MUL
                STORE_NAME text
                {step}
                LOAD_CONST 0.5
                BUILD_LIST 1
                LOAD_CONST 1500
                MUL
                POP
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST 140
                LT
                JUMP_IF_TRUE again
                {result}
            .end
            """
        );
        VmOptions options = ContractCallTests.Options(form, new Contracts()) with
        {
            GasLimit = long.MaxValue,
            MemoryLimit = limit << 20,
            Collection = new CollectionOptions { FirstTriggerBytes = 1L << 40, Verify = true },
        };
        Vm vm = new(options);
        MemoryGuard guard = vm.Guard;
        ExecutionResult done = vm.Execute(program);
        Assert.Null(done.Fault);
        Assert.True(done.Heap.Collections > 0, "there was enough without");
        vm.Dispose();
        Assert.Equal(0, guard.Taken);
    }

    /// <summary>Where a fault that nobody catches leaves compiled callers behind on another segment of the value stack, the result is made at a safepoint.</summary>
    [Theory]
    [InlineData("interpreted")]
    [InlineData("threaded")]
    [InlineData("compiled")]
    public void What_is_collected_for_a_result_does_not_look_at_frames_that_were_left(string form)
    {
        string locals = string.Join(", ", Enumerable.Range(0, 90).Select(i => $"v{i}"));
        ZexusProgram program = ContractCallTests.Load(
            $"""
            .func main() locals i
                STORE_CONST i, 0
            again:
                LOAD_CONST 20
                CALL_FUNC_CONST down, 1
                POP
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST 50
                LT
                JUMP_IF_TRUE again
                LOAD_CONST 100000
                CALL_FUNC_CONST down, 1
                RETURN
            .end

            .func down(n) locals {locals}
                LOAD_NAME n
                JUMP_IF_FALSE done
                LOAD_NAME n
                DEC
                CALL_FUNC_CONST down, 1
                RETURN
            done:
                LOAD_CONST 1
                RETURN
            .end
            """
        );
        VmOptions options = ContractCallTests.Options(form, new Contracts()) with
        {
            Collection = new CollectionOptions
            {
                Stress = true,
                StressCollections = 1_000_000,
                Verify = true,
            },
        };
        using Vm vm = new(options);
        Assert.Equal(Fault.CallTooDeep, vm.Execute(program).Fault);
    }

    [Fact]
    public void What_was_lent_for_a_call_of_the_host_that_faults_is_given_back()
    {
        HostFunctions host = new HostFunctions().Register(
            "host",
            2,
            1,
            HostEffects.None,
            _ => HostOutcome.Returned(Data.Null)
        );
        ZexusProgram program = ContractCallTests.Load(
            """
            .func main() locals i, f
                STORE_CONST i, 0
                STORE_FUNC f, main
            again:
                SETUP_TRY caught
                LOAD_CONST 1
                BUILD_LIST 1
                LOAD_CONST 2000
                MUL
                LOAD_NAME f
                CALL_BUILTIN host, 2
                POP_TRY
            caught:
                POP
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST 500
                LT
                JUMP_IF_TRUE again
            .end
            """
        );
        using Vm vm = new(new VmOptions { Host = host, MemoryLimit = Limit });
        Assert.Null(vm.Execute(program).Fault);
    }

    /// <summary>An event that its first handler emits again has many handlers on each of five hundred levels, and they are one array.</summary>
    [Fact]
    public void An_event_in_its_own_handlers_takes_no_copies_of_them()
    {
        const int Handlers = 20_000;
        string registrations = string.Concat(Enumerable.Range(0, Handlers).Select(i => $"REGISTER_EVENT e, h{i}\n"));
        ZexusProgram program = ContractCallTests.Load(
            $"""
            .func main()
                STORE_FUNC h0, again
                {registrations}
                LOAD_CONST 1
                EMIT_EVENT e
            .end

            .func again(payload)
                LOAD_CONST 1
                EMIT_EVENT e
            .end
            """
        );
        using Vm vm = new(new VmOptions { Jit = null });
        _ = vm.Execute(program);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Equal(Fault.CallTooDeep, vm.Execute(program).Fault);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 500 * Handlers);
    }

    /// <summary>Registrations, reverts and emissions drawn, beside copies.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void An_emission_calls_the_handlers_of_its_moment(int seed)
    {
        Random random = new(seed);
        MemoryGuard guard = new();
        EventHandlers handlers = new(guard);
        List<Registration> model = [];
        Stack<(Registration[] Array, Registration[] Expected, int ReadBefore)> emissions = new();
        for (int i = 0; i < 20_000; i++)
        {
            switch (random.Next(10))
            {
                case < 4:
                    model.Add(new Registration(i, i));
                    handlers.Add(model[^1]);
                    break;
                case < 7 when model.Count > 0:
                    model.RemoveAt(model.Count - 1);
                    handlers.RemoveLast();
                    break;
                case 7:
                    emissions.Push((handlers.Begin(out int readBefore), [.. model], readBefore));
                    break;
                case > 7 when emissions.TryPop(out var ended):
                    handlers.End(ended.Array, ended.ReadBefore);
                    break;
                default:
                    break;
            }

            Assert.Equal(model.Count, handlers.Count);
            foreach ((Registration[] array, Registration[] expected, _) in emissions)
            {
                Assert.True(array.AsSpan(0, expected.Length).SequenceEqual(expected));
            }
        }

        while (emissions.TryPop(out var last))
        {
            handlers.End(last.Array, last.ReadBefore);
        }

        // What only emissions had is gone with them: one array is left, which doubles.
        Assert.InRange(guard.Taken, 1, 8L * 2 * 20_000);
        handlers.Dispose();
        Assert.Equal(0, guard.Taken);
    }

    /// <summary>Reads one key after the other.</summary>
    private static string Reading(string prefix) =>
        $"""
            .func main() locals i
                STORE_CONST i, 0
            again:
                LOAD_CONST "{prefix}"
                LOAD_NAME i
                CALL_BUILTIN string, 1
                ADD
                STATE_READ
                POP
                LOAD_NAME i
                INC
                STORE_NAME i
                JUMP again
            .end
            """;

    /// <summary>Has every key that begins with "found".</summary>
    private sealed class Endless : IStateSource
    {
        public int Asked { get; private set; }

        public bool TryRead(string key, [MaybeNullWhen(false)] out Data value)
        {
            Asked++;
            value = key.StartsWith("found", StringComparison.Ordinal) ? Data.NewString(key) : null;
            return value is not null;
        }
    }
}
