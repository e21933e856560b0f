using System.Globalization;
using System.Numerics;
using Xunit;
using Zexus.Isa;

namespace Zexus.Vm.Tests;

/// <summary>The engine against what Python computes: tests/vectors/*/make.py wrote the files.</summary>
public class PythonVectorTests
{
    [Fact]
    public void Floats_display_as_pythons_repr() =>
        Each("numbers", "repr", 1000, line => Assert.Equal(line[2], Floats.ToText(Float(line[1]))));

    [Fact]
    public void Ints_round_to_the_nearest_float() =>
        Each("numbers", "float", 700, line => Assert.Equal(line[2], Bits(Integers.ToDouble(Int(line[1])))));

    [Fact]
    public void Quotients_are_correctly_rounded() =>
        Each(
            "numbers",
            "div",
            1000,
            line => Assert.Equal(line[3], Bits(Integers.Quotient(Int(line[1]), Int(line[2]))))
        );

    [Fact]
    public void Float_remainders_are_floored() =>
        Each(
            "numbers",
            "mod",
            400,
            line => Assert.Equal(line[3], Bits(Floats.FloorMod(Float(line[1]), Float(line[2]))))
        );

    [Fact]
    public void Ints_compare_with_floats_by_exact_value() =>
        Each(
            "numbers",
            "compare",
            400,
            line => Assert.Equal(int.Parse(line[3]), Math.Sign(Integers.Compare(Int(line[1]), Float(line[2]))))
        );

    [Fact]
    public void HASH_BLOCK_hashes_what_python_hashes() =>
        Each("hash", "hash", 400, line => Assert.Equal(line[2], Text($"LOAD_CONST {line[1]}\nHASH_BLOCK")));

    [Fact]
    public void MERKLE_ROOT_is_what_python_computes() =>
        Each(
            "hash",
            "merkle",
            20,
            line =>
            {
                string store = $"LOAD_CONST {line[1]}\nSTORE_NAME leaves\n";
                int count = ((Data.List)Assemble(store).Constants[0]).items.Length;
                IEnumerable<string> leaves = Enumerable
                    .Range(0, count)
                    .Select(i => $"LOAD_NAME leaves\nLOAD_CONST {i}\nINDEX");
                Assert.Equal(line[2], Text($"{store}{string.Join('\n', leaves)}\nMERKLE_ROOT {count}"));
            }
        );

    private static void Each(string folder, string kind, int atLeast, Action<string[]> check)
    {
        string file = Path.Combine(AppContext.BaseDirectory, "vectors", folder, "python.tsv");
        string[][] lines = [.. File.ReadLines(file).Select(line => line.Split('\t')).Where(line => line[0] == kind)];
        Assert.True(lines.Length >= atLeast, $"{lines.Length} lines of {kind}");
        Assert.All(lines, check);
    }

    private static Program Assemble(string code)
    {
        AssemblyResult assembly = Assembler.Assemble($".func main()\n{code}\n.end\n", "vector.zxa");
        Assert.Empty(assembly.Diagnostics);
        return assembly.Program;
    }

    private static string Text(string code)
    {
        using Vm vm = new();
        ExecutionResult result = vm.Execute(ZexusProgram.Load(Assemble(code)));
        Assert.Null(result.Fault);
        return result.Value.AsString;
    }

    private static BigInteger Int(string text) => BigInteger.Parse(text, CultureInfo.InvariantCulture);

    private static double Float(string bits) =>
        BitConverter.UInt64BitsToDouble(ulong.Parse(bits, NumberStyles.HexNumber, CultureInfo.InvariantCulture));

    private static string Bits(double value) => BitConverter.DoubleToUInt64Bits(value).ToString("x16");
}
