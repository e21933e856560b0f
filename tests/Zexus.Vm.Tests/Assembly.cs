using System.Numerics;
using Zexus.Isa;

namespace Zexus.Vm.Tests;

/// <summary>Builds programs in a few lines: constants and names are numbered as they come.</summary>
internal sealed class Assembly
{
    private readonly List<Data> _constants = [];
    private readonly List<string> _names = [];
    private readonly List<FunctionDefinition> _functions = [];

    public Instruction Const(object? value) => Op(Opcode.LOAD_CONST, Constant(value));

    public Instruction Load(string name) => Op(Opcode.LOAD_NAME, Name(name));

    public Instruction Store(string name) => Op(Opcode.STORE_NAME, Name(name));

    public Instruction Call(string name, int arguments) => Op(Opcode.CALL_NAME, Name(name), arguments);

    public Instruction Method(string name, int arguments) => Op(Opcode.CALL_METHOD, Name(name), arguments);

    public static Instruction Op(Opcode opcode, long a = 0, long b = 0, long c = 0) =>
        Instruction.Of(InstructionSet.Of(opcode).Number, a, b, c);

    public int Name(string name)
    {
        int index = _names.IndexOf(name);
        if (index < 0)
        {
            index = _names.Count;
            _names.Add(name);
        }

        return index;
    }

    public int Constant(object? value)
    {
        _constants.Add(ToData(value));
        return _constants.Count - 1;
    }

    public static Data ToData(object? value) =>
        value switch
        {
            null => Data.Null,
            Data data => data,
            bool flag => Data.NewBool(flag),
            int number => Data.NewInt(number),
            long number => Data.NewInt(number),
            BigInteger number => Data.NewInt(number),
            double number => Data.NewFloat(number),
            string text => Data.NewString(text),
            Dictionary<object, object?> map => Data.NewMap([
                .. map.Select(pair => new KeyValuePair<Data, Data>(ToData(pair.Key), ToData(pair.Value))),
            ]),
            HashSet<object> set => Data.NewSet([.. set.Select(ToData)]),
            object?[] items => Data.NewList([.. items.Select(ToData)]),
            _ => throw new ArgumentException($"no data: {value}"),
        };

    public Assembly Function(
        string name,
        Instruction[] code,
        string[]? parameters = null,
        string[]? locals = null,
        string[]? captures = null
    )
    {
        _functions.Add(new FunctionDefinition(name, parameters ?? [], locals ?? [], captures ?? [], code));
        return this;
    }

    public Zexus.Isa.Program Build() => new([.. _constants], [.. _names], [.. _functions]);

    public ExecutionResult Run(VmOptions? options = null, Limits? limits = null)
    {
        using Vm vm = new(options ?? new VmOptions());
        return vm.Execute(ZexusProgram.Load(Build(), limits));
    }
}
