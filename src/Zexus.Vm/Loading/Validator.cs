using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// Load-time validation: docs/semantics.md, section 1, in its order. What passes needs no check of operands, targets
/// or stack heights while it runs.
/// </summary>
internal sealed class Validator
{
    private static readonly HashSet<int> ReservedNumbers = InstructionSet
        .Reserved.Select(row => row.Number)
        .ToHashSet();

    private readonly Program _program;
    private readonly Limits _limits;

    private Validator(Program program, Limits limits)
    {
        _program = program;
        _limits = limits;
    }

    /// <summary>The operand stacks of each function; or the first problem.</summary>
    public static Refusal? Check(Program program, Limits limits, out StackHeights[] heights)
    {
        Validator validator = new(program, limits);
        heights = new StackHeights[program.Functions.Length];
        return validator.Constants()
            ?? validator.Names()
            ?? validator.Variables()
            ?? validator.Code()
            ?? validator.Heights(heights);
    }

    private static Refusal At(RefusalReason reason, int function, int index) => new(reason, function, index);

    private Refusal? Constants()
    {
        if (_program.Functions.Length == 0)
        {
            return At(RefusalReason.NoEntry, -1, 0);
        }

        for (int i = 0; i < _program.Constants.Length; i++)
        {
            if (DataVisitor.Check(_program.Constants[i], _limits) is { } reason)
            {
                return At(reason, -1, i);
            }
        }

        return null;
    }

    private Refusal? Names()
    {
        for (int i = 0; i < _program.Names.Length; i++)
        {
            if (Text.HasUnpairedSurrogate(_program.Names[i]))
            {
                return At(RefusalReason.BadString, -1, i);
            }
        }

        for (int f = 0; f < _program.Functions.Length; f++)
        {
            if (Text.HasUnpairedSurrogate(_program.Functions[f].Name))
            {
                return At(RefusalReason.BadString, f, 0);
            }
        }

        return null;
    }

    private Refusal? Variables()
    {
        for (int f = 0; f < _program.Functions.Length; f++)
        {
            FunctionDefinition function = _program.Functions[f];
            HashSet<string> seen = new(StringComparer.Ordinal);
            int position = 0;
            foreach (string name in function.Parameters.Concat(function.Locals).Concat(function.Captures))
            {
                if (Text.HasUnpairedSurrogate(name))
                {
                    return At(RefusalReason.BadString, f, position);
                }

                if (!seen.Add(name))
                {
                    return At(RefusalReason.DuplicateVariable, f, position);
                }

                position++;
            }

            if (position > Limits.Variables)
            {
                return At(RefusalReason.TooManyVariables, f, Limits.Variables);
            }
        }

        FunctionDefinition entry = _program.Functions[0];
        return entry.Parameters.Length + entry.Captures.Length > 0 ? At(RefusalReason.BadEntry, 0, 0) : null;
    }

    private Refusal? Code()
    {
        for (int f = 0; f < _program.Functions.Length; f++)
        {
            FunctionDefinition function = _program.Functions[f];
            HashSet<string>? variables = null;
            for (int i = 0; i < function.Code.Length; i++)
            {
                Instruction instruction = function.Code[i];
                if (ReservedNumbers.Contains(instruction.Number))
                {
                    return At(RefusalReason.ReservedOpcode, f, i);
                }

                if (!InstructionSet.TryFind(instruction.Number, out OpcodeInfo? info))
                {
                    return At(RefusalReason.UnknownOpcode, f, i);
                }

                if (info.Status.IsNotYetSpecified)
                {
                    return At(RefusalReason.UnspecifiedOpcode, f, i);
                }

                for (int k = 0; k < info.Operands.Length; k++)
                {
                    if (Operand(info.Operands[k].Kind, OperandOf(instruction, k), function.Code.Length) is { } reason)
                    {
                        return At(reason, f, i);
                    }
                }

                if (info.Opcode.Tag is Opcode.Tags.STORE_FUNC or Opcode.Tags.CALL_FUNC_CONST)
                {
                    long named = info.Opcode.Tag == Opcode.Tags.STORE_FUNC ? instruction.B : instruction.A;
                    variables ??= function
                        .Parameters.Concat(function.Locals)
                        .Concat(function.Captures)
                        .ToHashSet(StringComparer.Ordinal);
                    if (!_program.Functions[named].Captures.All(variables.Contains))
                    {
                        return At(RefusalReason.UnresolvedCapture, f, i);
                    }
                }
            }
        }

        return null;
    }

    public static long OperandOf(Instruction instruction, int index) =>
        index switch
        {
            0 => instruction.A,
            1 => instruction.B,
            _ => instruction.C,
        };

    private RefusalReason? Operand(OperandKind kind, long value, int length)
    {
        switch (kind.Tag)
        {
            case OperandKind.Tags.Target:
                return value >= 0 && value <= length ? null : RefusalReason.JumpOutOfRange;
            case OperandKind.Tags.Amount:
                return value >= 0 ? null : RefusalReason.NegativeGas;
            default:
                (long least, long most) = kind.Tag switch
                {
                    OperandKind.Tags.Constant => (0L, _program.Constants.Length - 1L),
                    OperandKind.Tags.Name => (0, _program.Names.Length - 1L),
                    OperandKind.Tags.Function => (0, _program.Functions.Length - 1L),
                    OperandKind.Tags.Register => (0, Limits.Registers - 1L),
                    OperandKind.Tags.Results => (1, 2),
                    _ => (0, 1024),
                };
                return value >= least && value <= most ? null : RefusalReason.OperandOutOfRange;
        }
    }

    private Refusal? Heights(StackHeights[] result)
    {
        for (int f = 0; f < _program.Functions.Length; f++)
        {
            if (Heights(f, out result[f]) is { } refusal)
            {
                return refusal;
            }
        }

        return null;
    }

    private Refusal? Heights(int f, out StackHeights result)
    {
        Instruction[] code = _program.Functions[f].Code;
        int highest = 0;
        short[] kept = new short[code.Length];
        result = new StackHeights(0, kept);
        int[] heights = new int[code.Length];
        Array.Fill(heights, -1);
        PriorityQueue<int, int> pending = new();
        if (code.Length > 0)
        {
            heights[0] = 0;
            pending.Enqueue(0, 0);
        }

        while (pending.TryDequeue(out int i, out _))
        {
            Instruction instruction = code[i];
            _ = InstructionSet.TryFind(instruction.Number, out OpcodeInfo? info);
            int count = 0;
            int target = -1;
            for (int k = 0; k < info!.Operands.Length; k++)
            {
                switch (info.Operands[k].Kind.Tag)
                {
                    case OperandKind.Tags.Count or OperandKind.Tags.Results:
                        count = (int)OperandOf(instruction, k);
                        break;
                    case OperandKind.Tags.Target:
                        target = (int)OperandOf(instruction, k);
                        break;
                    default:
                        break;
                }
            }

            int height = heights[i];
            int pops = info.Effect.Pops + (info.Effect.PopsPerCount * count);
            int after = height - pops + info.Effect.Pushes + (info.Effect.PushesPerCount * count);
            if (height < pops)
            {
                return At(RefusalReason.StackUnderflow, f, i);
            }

            int flow = info.Flow.Tag;
            if (after > Limits.OperandStackHeight || (flow == Flow.Tags.Try && after + 1 > Limits.OperandStackHeight))
            {
                return At(RefusalReason.StackOverflow, f, i);
            }

            kept[i] = (short)(height - pops);
            highest = Math.Max(highest, after);
            int? mismatch = null;
            if (flow is Flow.Tags.Next or Flow.Tags.Branch or Flow.Tags.Try)
            {
                mismatch = Reach(i + 1, after);
            }

            if (flow is Flow.Tags.Jump or Flow.Tags.Branch or Flow.Tags.Try)
            {
                int arriving = flow == Flow.Tags.Try ? after + 1 : after;
                highest = Math.Max(highest, arriving);
                mismatch ??= Reach(target, arriving);
            }

            if (mismatch is { } at)
            {
                return At(RefusalReason.StackMismatch, f, at);
            }
        }

        result = new StackHeights(highest, kept);
        return null;

        int? Reach(int successor, int height)
        {
            if (successor == code.Length)
            {
                return null;
            }

            if (heights[successor] < 0)
            {
                heights[successor] = height;
                pending.Enqueue(successor, successor);
                return null;
            }

            return heights[successor] == height ? null : successor;
        }
    }
}

/// <summary>What validation knows of a function's operand stack.</summary>
/// <param name="Highest">The most cells on any path.</param>
/// <param name="Kept">Of each instruction: the cells below its operands.</param>
internal readonly record struct StackHeights(int Highest, short[] Kept);
