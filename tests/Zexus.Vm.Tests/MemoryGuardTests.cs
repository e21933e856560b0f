using System.Diagnostics.CodeAnalysis;
using Xunit;
using Zexus.Isa;

namespace Zexus.Vm.Tests;

/// <summary>The guard of memory counts whatever a program can make grow, in each form, and nothing stays behind.</summary>
public class MemoryGuardTests
{
    private const long Limit = 16 << 20;

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
        };
        Vm vm = new(options);
        MemoryGuard guard = vm.Guard;
        ZexusProgram hungry = ContractCallTests.Load(Hungry[program]);
        for (int i = 0; i < 2; i++)
        {
            HostGuardException stop = Assert.Throws<HostGuardException>(() => vm.Execute(hungry));
            Assert.Equal((HostGuard.Memory, Limit), (stop.Guard, stop.Limit));
            Assert.InRange(guard.Taken, 0, Limit);
        }

        // What the last one took is there for the next, and with enough it comes to its end.
        ExecutionResult small = vm.Execute(
            ContractCallTests.Load(Hungry["a result"].Replace("1000000", "10000", StringComparison.Ordinal))
        );
        Assert.Equal(10_000, small.Value.Items.Count);
        vm.Options = options with { GasLimit = 1_000_000, MemoryLimit = 1L << 30 };
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
