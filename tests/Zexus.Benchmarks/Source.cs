using System.Text;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Benchmarks;

/// <summary>The programs that are measured, as assembly text.</summary>
internal static class Source
{
    /// <summary>
    /// What a compiler without an optimizer writes: each value in a variable of its own, constants computed when they are needed,
    /// conditions negated to jump over a jump, a value computed twice.
    /// </summary>
    public static string Naive(int iterations) =>
        $"""
            .func main() locals scale, offset, sum, i, t0, t1, t2, t3, unused
                LOAD_CONST 2
                LOAD_CONST 3
                MUL
                STORE_NAME scale
                LOAD_CONST 10
                LOAD_CONST 4
                SUB
                STORE_NAME offset
                STORE_CONST sum, 0
                STORE_CONST i, 0
            loop:
                LOAD_NAME i
                LOAD_CONST {iterations}
                LT
                NOT
                JUMP_IF_FALSE body
                JUMP leave
            body:
                LOAD_NAME i
                STORE_NAME t0
                LOAD_NAME t0
                LOAD_NAME scale
                MUL
                STORE_NAME t1
                LOAD_NAME t1
                LOAD_NAME offset
                ADD
                STORE_NAME t2
                LOAD_NAME t0
                LOAD_NAME offset
                ADD
                STORE_NAME unused
                LOAD_NAME sum
                LOAD_NAME t2
                ADD
                STORE_NAME t3
                LOAD_NAME t3
                STORE_NAME sum
                LOAD_NAME t3
                POP
                LOAD_NAME i
                LOAD_CONST 1
                ADD
                STORE_NAME i
                JUMP next
            next:
                JUMP loop
            leave:
                JUMP done
            done:
                LOAD_NAME sum
            .end
            """;

    /// <summary>Straight code of at least so many instructions, in the manner of <see cref="Naive"/>.</summary>
    public static string Long(int instructions)
    {
        StringBuilder text = new(".func main() locals a, b, c, t\n    STORE_CONST a, 1\n    STORE_CONST b, 2\n");
        for (int i = 0; i < instructions; i += 12)
        {
            text.Append(
                $"""
                    LOAD_NAME a
                    LOAD_CONST {i % 7}
                    ADD
                    STORE_NAME t
                    LOAD_NAME t
                    LOAD_CONST 2
                    LOAD_CONST 3
                    MUL
                    MUL
                    STORE_NAME c
                    LOAD_NAME c
                    STORE_NAME {(i % 24 == 0 ? "a" : "b")}

                """
            );
        }

        return text.Append("    LOAD_NAME a\n.end\n").ToString();
    }

    /// <summary>1 + 1 + 1 …: each sum is folded into the next.</summary>
    public static string FoldChain(int folds)
    {
        StringBuilder text = new(".func main()\n    LOAD_CONST 1\n");
        for (int i = 0; i < folds; i++)
        {
            text.Append("    LOAD_CONST 1\n    ADD\n");
        }

        return text.Append(".end\n").ToString();
    }

    /// <summary>Throws when the text is no program.</summary>
    public static ZexusProgram Load(string text) => ZexusProgram.Load(Assemble(text));

    /// <summary>Throws when the text is no assembly.</summary>
    public static Isa.Program Assemble(string text)
    {
        AssemblyResult assembly = Assembler.Assemble(text, "kernel.zxa");
        return assembly.Diagnostics.Count == 0
            ? assembly.Program
            : throw new InvalidOperationException(string.Join('\n', assembly.Diagnostics));
    }
}
