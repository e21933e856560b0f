using BenchmarkDotNet.Attributes;
using Microsoft.FSharp.Collections;
using Microsoft.FSharp.Core;
using Zexus.Isa;
using Zexus.Spec;

namespace Zexus.Benchmarks;

/// <summary>The specification, run as an oracle. Figures are per step.</summary>
[MemoryDiagnoser]
public class Oracle
{
    private const int Turns = 10_000;
    private const int Steps = 4 + (8 * Turns);

    private readonly State _start = Start();

    [Benchmark(OperationsPerInvoke = Steps)]
    public object CountDown() => Machine.run(_start);

    private static State Start()
    {
        Isa.Program program = Assembler
            .Assemble(
                $"""
                .func main() locals i
                    STORE_CONST i, {Turns}
                loop:
                    LOAD_NAME i
                    JUMP_IF_FALSE done
                    LOAD_NAME i
                    LOAD_CONST 1
                    SUB
                    STORE_NAME i
                    NOP
                    JUMP loop
                done:
                .end
                """,
                "kernel.zxa"
            )
            .Program;
        Loaded loaded = Validation.validate(Limits.Default, program).ResultValue;
        Context context = new(
            contract: "",
            contracts: MapModule.Empty<string, Spec.Contract>(),
            entry: EntryModule.main,
            gasLimit: Int.NewKnown(Gas.DefaultLimit),
            timestamp: 0,
            height: 0,
            caller: "",
            state: MapModule.Empty<string, Plain>(),
            host: MapModule.Empty<string, Spec.HostFunction>(),
            verifySignature: FuncConvert.FromFunc<string, string, string, bool>((_, _, _) => false)
        );
        return Machine.start(loaded, context);
    }
}
