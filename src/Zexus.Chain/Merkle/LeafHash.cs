using System.Text;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Chain;

/// <summary>Leaves' hashes, by HASH_BLOCK itself: what it and MERKLE_ROOT make of a value is one text.</summary>
internal sealed class LeafHash
{
    /// <summary>Of the two digests in hexadecimal that are hashed for a node.</summary>
    private const int PairLength = 4 * Digest.Size;

    private static readonly ZexusProgram Program = ZexusProgram.Load(
        Assembler
            .Assemble(
                ".func main()\n.end\n.func hash(leaf)\n    LOAD_NAME leaf\n    HASH_BLOCK\n    RETURN\n.end\n",
                "leaf"
            )
            .Program
    );

    private readonly Vm.Vm _vm = new(new VmOptions { GasLimit = long.MaxValue, Jit = null });

    /// <summary>Throws ArgumentException for what HASH_BLOCK does not hash.</summary>
    public Digest Of(Data leaf)
    {
        ExecutionResult result = _vm.Execute(Program, new EntryCall(1, leaf));
        return result.IsCompleted
            ? Digest.Parse(result.Value.AsString)
            : throw new ArgumentException(
                "no leaf: HASH_BLOCK hashes null, Bools, Ints, Floats, Strings, Lists, and Maps whose keys are all Strings or all Ints",
                nameof(leaf)
            );
    }

    /// <summary>Does it read as what is hashed for a node? Then a tree that has it as a leaf is taken for a deeper one.</summary>
    public static bool IsPair(ReadOnlySpan<byte> canonical) =>
        canonical.Length == PairLength && !canonical.ContainsAnyExcept("0123456789abcdef"u8);

    public static bool IsPair(Data leaf) =>
        leaf switch
        {
            Data.String text => text.value.Length == PairLength && IsPair(Encoding.UTF8.GetBytes(text.value)),
            Data.Int number => IsPair(Encoding.ASCII.GetBytes(number.value.ToString(null, null))),
            _ => false,
        };
}
