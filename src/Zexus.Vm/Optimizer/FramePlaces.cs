using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// The places of a function's frame that only its own code reads and changes, numbered: the variables that no function
/// captures, as far as the code names them, then the registers.
/// </summary>
internal sealed class FramePlaces
{
    // By the first number of the name.
    private readonly Dictionary<int, int> _ofName = [];
    private readonly List<(int Name, int Slot)> _variables = [];
    private readonly int[] _firstNames;

    public FramePlaces(Program program, int function, int[] firstNames)
    {
        _firstNames = firstNames;
        FunctionDefinition definition = program.Functions[function];
        Dictionary<string, int> named = new(StringComparer.Ordinal);
        HashSet<string> captured = new(definition.Captures, StringComparer.Ordinal);
        foreach (Instruction instruction in definition.Code)
        {
            _ = InstructionSet.TryFind(instruction.Number, out OpcodeInfo? info);
            switch (info!.Opcode.Tag)
            {
                case Opcode.Tags.STORE_FUNC:
                    captured.UnionWith(program.Functions[instruction.B].Captures);
                    break;
                case Opcode.Tags.CALL_FUNC_CONST:
                    captured.UnionWith(program.Functions[instruction.A].Captures);
                    break;
                default:
                    break;
            }

            for (int i = 0; i < info.Operands.Length; i++)
            {
                if (info.Operands[i].Kind.IsName)
                {
                    long name = i == 0 ? instruction.A : instruction.B;
                    named[program.Names[name]] = firstNames[name];
                }
            }
        }

        Parameters = 0;
        for (int slot = 0; slot < definition.Parameters.Length + definition.Locals.Length; slot++)
        {
            bool isParameter = slot < definition.Parameters.Length;
            string text = isParameter
                ? definition.Parameters[slot]
                : definition.Locals[slot - definition.Parameters.Length];
            if (!captured.Contains(text) && named.TryGetValue(text, out int name))
            {
                _ofName.Add(name, _variables.Count);
                _variables.Add((name, slot));
                Parameters += isParameter ? 1 : 0;
            }
        }
    }

    /// <summary>For each name of a program, the first number under which it stands there.</summary>
    /// <param name="program">The program.</param>
    public static int[] FirstNames(Program program)
    {
        Dictionary<string, int> seen = new(StringComparer.Ordinal);
        int[] first = new int[program.Names.Length];
        for (int i = 0; i < first.Length; i++)
        {
            first[i] = seen.TryGetValue(program.Names[i], out int earlier) ? earlier : seen[program.Names[i]] = i;
        }

        return first;
    }

    /// <summary>The first so many are parameters; all else is Null when the frame begins.</summary>
    public int Parameters { get; }

    public int Variables => _variables.Count;

    public int Count => _variables.Count + Limits.Registers;

    /// <summary>The variable's place; -1 when it is none that only the frame changes.</summary>
    public int OfName(long name) => _ofName.GetValueOrDefault(_firstNames[name], -1);

    public int OfRegister(long register) => _variables.Count + (int)register;

    public bool IsRegister(int place) => place >= _variables.Count;

    /// <summary>What an instruction has as its operand: the number of the name, or of the register.</summary>
    public int OperandOf(int place) => IsRegister(place) ? place - _variables.Count : _variables[place].Name;

    /// <summary>A variable's place by its place among parameters and locals; -1 when it is none that only the frame changes.</summary>
    public int OfSlot(int slot) => _variables.FindIndex(variable => variable.Slot == slot);

    /// <summary>The size of what is there.</summary>
    public Amount SizeOf(int place) =>
        IsRegister(place) ? new Amount.RegisterSize(OperandOf(place)) : new Amount.VariableSize(_variables[place].Slot);

    /// <summary>The place for claims; what lies behind the registers is the operand stack, from the bottom.</summary>
    public Place ToPlace(int place) =>
        place >= Count ? new Place.Stack(place - Count)
        : IsRegister(place) ? new Place.Register(place - _variables.Count)
        : new Place.Variable(_variables[place].Slot);
}
