using Zexus.Isa;

namespace Zexus.Cli.Output;

/// <summary>One instruction of a program as text, its operands by what they stand for.</summary>
internal static class InstructionText
{
    private const int LongestOperand = 60;

    /// <summary>`(end)` for the end of the code.</summary>
    public static string Of(Program program, int function, int index)
    {
        string mnemonic = Mnemonic(program, function, index);
        IReadOnlyList<string> operands = Operands(program, function, index);
        return operands.Count == 0 ? mnemonic : mnemonic + " " + string.Join(", ", operands);
    }

    public static string Mnemonic(Program program, int function, int index)
    {
        Instruction[] code = program.Functions[function].Code;
        return index >= code.Length ? "(end)"
            : InstructionSet.TryFind(code[index].Number, out OpcodeInfo info) ? info.Mnemonic
            : $".op {code[index].Number}";
    }

    public static IReadOnlyList<string> Operands(Program program, int function, int index)
    {
        Instruction[] code = program.Functions[function].Code;
        if (index >= code.Length || !InstructionSet.TryFind(code[index].Number, out OpcodeInfo info))
        {
            return [];
        }

        long[] values = [code[index].A, code[index].B, code[index].C];
        return [.. info.Operands.Select((operand, i) => Operand(program, operand.Kind, values[i]))];
    }

    private static string Operand(Program program, OperandKind kind, long value)
    {
        if (kind == OperandKind.Constant && value >= 0 && value < program.Constants.Length)
        {
            return Literal.Of(Node.Of(program.Constants[value]), LongestOperand);
        }

        if (kind == OperandKind.Name && value >= 0 && value < program.Names.Length)
        {
            return Name(program.Names[value]);
        }

        if (kind == OperandKind.Function && value >= 0 && value < program.Functions.Length)
        {
            return Name(program.Functions[value].Name);
        }

        return kind == OperandKind.Register ? $"r{value}"
            : kind == OperandKind.Target ? $"@{value}"
            : value.ToString(System.Globalization.CultureInfo.InvariantCulture);
    }

    private static string Name(string name)
    {
        bool isWord = name != "" && !char.IsAsciiDigit(name[0]) && name.All(c => char.IsLetterOrDigit(c) || c == '_');
        string shown = isWord ? name : Literal.Quoted(name);
        return shown.Length <= LongestOperand ? shown : shown[..LongestOperand] + "…";
    }
}
