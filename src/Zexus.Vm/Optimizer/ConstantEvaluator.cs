using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>Computes the constants of rewrites, with the engine's own arithmetic, under the limits of the program.</summary>
internal sealed class ConstantEvaluator : IDisposable
{
    /// <summary>Longer text is left to the program: folding must not make it much larger than its source.</summary>
    private const int LongestText = 1024;

    // Made when it is first needed.
    private Machine? _machine;

    // A rewrite asks twice for one constant: does it end without a fault, and what is it?
    private Opcode? _lastOpcode;
    private Data[] _lastOperands = [];
    private (Data Value, long Gas)? _lastResult;
    private readonly Limits _limits;

    public ConstantEvaluator(Limits limits)
    {
        _limits = limits;
    }

    public void Dispose() => _machine?.Dispose();

    /// <summary>The constant; null when an instruction in it faults, or when it is not worth having.</summary>
    public Data? Evaluate(ConstantExpression expression, Func<string, Data> matched) =>
        expression switch
        {
            ConstantExpression.Matched it => matched(it.Name),
            ConstantExpression.Value it => it.Data,
            ConstantExpression.Apply it => Apply(it, matched)?.Value,
            _ => throw new InvalidOperationException($"no reading of {expression.GetType().Name}"),
        };

    /// <summary>The amount; null when it depends on a constant that there is not.</summary>
    public long? Evaluate(ConstantAmount amount, Func<string, Data> matched) =>
        amount switch
        {
            ConstantAmount.Fixed it => it.Gas,
            ConstantAmount.Size it => Evaluate(it.Constant, matched) is { } data ? SizeOf(data) : null,
            ConstantAmount.Text it => Evaluate(it.Constant, matched) is { } data ? TextOf(data) : null,
            ConstantAmount.Taken it => Apply(it.Expression, matched)?.Gas,
            ConstantAmount.Sum it => Evaluate(it.Left, matched) + Evaluate(it.Right, matched),
            ConstantAmount.Product it => Evaluate(it.Left, matched) * Evaluate(it.Right, matched),
            ConstantAmount.Least it => Evaluate(it.Left, matched) is { } left
            && Evaluate(it.Right, matched) is { } right
                ? Math.Min(left, right)
                : null,
            _ => throw new InvalidOperationException($"no reading of {amount.GetType().Name}"),
        };

    /// <summary>Words of an Int beyond 64 bits; 0 for every other kind.</summary>
    public static long SizeOf(Data data) => data is Data.Int number ? number.value.GetBitLength() / Gas.BitsPerWord : 0;

    /// <summary>Does it count as true?</summary>
    public static bool IsTrue(Data data) =>
        data switch
        {
            Data.Bool it => it.value,
            Data.Int it => !it.value.IsZero,
            Data.Float it => it.value != 0,
            Data.String it => it.value.Length > 0,
            Data.List it => it.items.Length > 0,
            Data.Map it => it.entries.Length > 0,
            Data.Set it => it.items.Length > 0,
            _ => false,
        };

    private static long TextOf(Data data) =>
        data is Data.String text ? Text.Scalars(text.value) / Gas.ScalarsPerUnit : 0;

    private (Data Value, long Gas)? Apply(ConstantExpression.Apply apply, Func<string, Data> matched)
    {
        Data[] operands = new Data[apply.Arguments.Length];
        for (int i = 0; i < operands.Length; i++)
        {
            if (Evaluate(apply.Arguments[i], matched) is not { } operand)
            {
                return null;
            }

            operands[i] = operand;
        }

        if (
            !apply.Opcode.Equals(_lastOpcode)
            || !operands.SequenceEqual(_lastOperands, ReferenceEqualityComparer.Instance)
        )
        {
            _machine ??= new Machine();
            _lastResult =
                _machine.Evaluate(apply.Opcode, operands, _limits) is { } result && IsWorthHaving(result.Value)
                    ? result
                    : null;
            _lastOpcode = apply.Opcode;
            _lastOperands = operands;
        }

        return _lastResult;
    }

    /// <summary>A hash is a String whatever the limit of Strings; a constant is not.</summary>
    private bool IsWorthHaving(Data value) =>
        !(value is Data.String text && text.value.Length > LongestText) && DataVisitor.Check(value, _limits) is null;
}
