using System.Numerics;
using System.Runtime.CompilerServices;

namespace Zexus.Vm;

/// <summary>Arithmetic whose operands are not both small, or whose result may not be. Order: kinds, values, charge, limits.</summary>
internal sealed unsafe partial class Machine
{
    /// <summary>Both operands are rooted; the result may go where one of them is.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private Code Binary(Op op, Value* a, Value* b, Value* to)
    {
        switch (op)
        {
            case Op.Add:
                return Add(a, b, to);
            case Op.Sub:
                return Subtract(a, b, to);
            case Op.Mul:
                return Multiply(a, b, to);
            case Op.Div:
                return Divide(a, b, to);
            case Op.Mod:
                return Modulo(a, b, to);
            case Op.Pow:
                return Power(a, b, to);
            case Op.And:
                *to = Value.Of(IsTrue(a) & IsTrue(b));
                return Code.Done;
            case Op.Or:
                *to = Value.Of(IsTrue(a) | IsTrue(b));
                return Code.Done;
            case Op.Eq:
            case Op.Neq:
            {
                Code code = AreEqual(a, b, 0, out bool equal);
                if (code == Code.Done)
                {
                    *to = Value.Of(equal == (op == Op.Eq));
                }

                return code;
            }

            default:
            {
                Code code = Compare(a, b, 0, out Order order);
                if (code == Code.Done)
                {
                    *to = Value.Of(
                        op switch
                        {
                            Op.Lt => order == Order.Less,
                            Op.Gt => order == Order.Greater,
                            Op.Lte => order is Order.Less or Order.Equal,
                            _ => order is Order.Greater or Order.Equal,
                        }
                    );
                }

                return code;
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private Code Unary(Op op, Value* a, Value* to)
    {
        Value one = Value.Of(1L);
        return op switch
        {
            Op.Inc => Add(a, &one, to),
            Op.Dec => Subtract(a, &one, to),
            _ => Negate(a, to),
        };
    }

    /// <summary>Null, Bool, Int or Float?</summary>
    private static bool IsNumber(Value* value) => value->Tag <= Tag.BigInt;

    /// <summary>Null, Bool or Int: what counts as an integer in arithmetic?</summary>
    private static bool IsIntegral(Value* value) => value->Tag is Tag.Null or Tag.Bool or Tag.Int or Tag.BigInt;

    private static bool AreSmall(Value* a, Value* b) => a->Tag <= Tag.Int && b->Tag <= Tag.Int;

    private bool ChargeSizes(Value* a, Value* b) => Charge(Integers.Size(a) + Integers.Size(b));

    private bool ChargeProduct(Value* a, Value* b)
    {
        long x = Integers.Size(a);
        long y = Integers.Size(b);
        return Charge(x + y + (x * y));
    }

    private Code Add(Value* a, Value* b, Value* to)
    {
        if (AreSmall(a, b))
        {
            long sum = unchecked(a->Payload + b->Payload);
            return ((a->Payload ^ sum) & (b->Payload ^ sum)) >= 0
                ? StoreInteger(to, sum)
                : StoreInteger(to, (BigInteger)a->Payload + b->Payload);
        }

        if (a->Tag == Tag.String || b->Tag == Tag.String)
        {
            return ConcatenateText(a, b, to);
        }

        if (a->Tag == Tag.List && b->Tag == Tag.List)
        {
            return ConcatenateLists(a, b, to);
        }

        if (!IsNumber(a) || !IsNumber(b))
        {
            return Code.TypeMismatch;
        }

        if (!ChargeSizes(a, b))
        {
            return Code.OutOfGas;
        }

        if (a->Tag == Tag.Float || b->Tag == Tag.Float)
        {
            *to = Value.Of(Integers.ToDouble(a) + Integers.ToDouble(b));
            return Code.Done;
        }

        return StoreInteger(to, Integers.Of(a) + Integers.Of(b));
    }

    private Code ConcatenateText(Value* a, Value* b, Value* to)
    {
        if (a->Tag == b->Tag)
        {
            StringCell* joined = TryAppend(a->String, b->String, _counter);
            if (joined is not null)
            {
                _counter -= JoiningGas(joined->Length);
                *to = Value.Of(joined);
                return Code.Done;
            }
        }

        int mark = _heap.Protect(*a);
        _heap.Protect(*b);
        Code code = ConcatenateText(a, b, to, mark);
        _heap.Release(mark);
        return code;
    }

    /// <summary>
    /// Appends a String to another in place (<see cref="CellHeap.TryAppend"/>) if the counter has the gas for it, which is not taken;
    /// null, with nothing done, when gas, length or memory do not simply allow it.
    /// </summary>
    private StringCell* TryAppend(StringCell* left, StringCell* right, long counter)
    {
        long length = (long)left->Length + right->Length;
        return counter < JoiningGas(length) || length > _stringLength ? null : _heap.TryAppend(left, right);
    }

    /// <summary>What a String of that length takes of the counter when it is joined.</summary>
    private static long JoiningGas(long length) => length / Zexus.Isa.Gas.ScalarsPerUnit << Fuel.Shift;

    private Code ConcatenateText(Value* a, Value* b, Value* to, int mark)
    {
        Value* other = a->Tag != Tag.String ? a : b;
        StringCell* left = a->Tag == Tag.String ? a->String : null;
        StringCell* right = b->Tag == Tag.String ? b->String : null;
        if (left is null || right is null)
        {
            _text.Start(_stringLength);
            Code code = Display(other, 0);
            if (code != Code.Done)
            {
                return code;
            }

            StringCell* shown = _text.ToCell(_heap);
            _heap.Protect(Value.Of(shown));
            left = left is null ? shown : left;
            right = right is null ? shown : right;
        }

        long length = (long)left->Length + right->Length;
        if (!Charge(length / Zexus.Isa.Gas.ScalarsPerUnit))
        {
            return Code.OutOfGas;
        }

        if (length > _stringLength)
        {
            return Code.StringTooLong;
        }

        *to = Value.Of(_heap.Concat(left, right));
        return Code.Done;
    }

    private Code ConcatenateLists(Value* a, Value* b, Value* to)
    {
        ListCell* left = a->List;
        ListCell* right = b->List;
        long count = (long)left->Count + right->Count;
        if (!Charge(count))
        {
            return Code.OutOfGas;
        }

        if (count > _collectionLength)
        {
            return Code.CollectionTooLarge;
        }

        ListCell* result = _heap.NewList((int)count, CellHeap.Join(left, right));
        CellHeap.CopyItems(left, 0, result, 0, left->Count);
        CellHeap.CopyItems(right, 0, result, left->Count, right->Count);
        *to = Value.Of(result);
        return Code.Done;
    }

    private Code Subtract(Value* a, Value* b, Value* to)
    {
        if (AreSmall(a, b))
        {
            long difference = unchecked(a->Payload - b->Payload);
            return ((a->Payload ^ b->Payload) & (a->Payload ^ difference)) >= 0
                ? StoreInteger(to, difference)
                : StoreInteger(to, (BigInteger)a->Payload - b->Payload);
        }

        if (!IsNumber(a) || !IsNumber(b))
        {
            return Code.TypeMismatch;
        }

        if (!ChargeSizes(a, b))
        {
            return Code.OutOfGas;
        }

        if (a->Tag == Tag.Float || b->Tag == Tag.Float)
        {
            *to = Value.Of(Integers.ToDouble(a) - Integers.ToDouble(b));
            return Code.Done;
        }

        return StoreInteger(to, Integers.Of(a) - Integers.Of(b));
    }

    private Code Negate(Value* a, Value* to)
    {
        if (a->Tag == Tag.Float)
        {
            *to = Value.Of(-a->Float);
            return Code.Done;
        }

        if (!IsIntegral(a))
        {
            return Code.TypeMismatch;
        }

        if (a->Tag != Tag.BigInt && a->Payload != long.MinValue)
        {
            return StoreInteger(to, -a->Payload);
        }

        return Charge(Integers.Size(a)) ? StoreInteger(to, -Integers.Of(a)) : Code.OutOfGas;
    }

    private Code Multiply(Value* a, Value* b, Value* to)
    {
        if (AreSmall(a, b))
        {
            long high = Math.BigMul(a->Payload, b->Payload, out long low);
            return high == low >> 63 ? StoreInteger(to, low) : StoreInteger(to, (BigInteger)a->Payload * b->Payload);
        }

        if (a->Tag is Tag.String or Tag.List)
        {
            return Repeat(a, b, to);
        }

        if (b->Tag is Tag.String or Tag.List)
        {
            return Repeat(b, a, to);
        }

        if (!IsNumber(a) || !IsNumber(b))
        {
            return Code.TypeMismatch;
        }

        if (a->Tag == Tag.Float || b->Tag == Tag.Float)
        {
            if (!ChargeSizes(a, b))
            {
                return Code.OutOfGas;
            }

            *to = Value.Of(Integers.ToDouble(a) * Integers.ToDouble(b));
            return Code.Done;
        }

        if (!ChargeProduct(a, b))
        {
            return Code.OutOfGas;
        }

        return StoreInteger(to, Integers.Of(a) * Integers.Of(b));
    }

    /// <summary>A String or List so many times.</summary>
    private Code Repeat(Value* subject, Value* times, Value* to)
    {
        if (!IsIntegral(times))
        {
            return Code.TypeMismatch;
        }

        bool text = subject->Tag == Tag.String;
        int length = text ? subject->String->Length : subject->List->Count;
        BigInteger total = length == 0 || Sign(times) <= 0 ? BigInteger.Zero : Integers.Of(times) * length;
        BigInteger gas = text ? total / Zexus.Isa.Gas.ScalarsPerUnit : total;
        if (!Charge(gas > long.MaxValue ? long.MaxValue : (long)gas))
        {
            return Code.OutOfGas;
        }

        if (total > (text ? _stringLength : _collectionLength))
        {
            return text ? Code.StringTooLong : Code.CollectionTooLarge;
        }

        int count = total.IsZero ? 0 : (int)Integers.Of(times);
        if (text)
        {
            *to = Value.Of(_heap.Repeat(subject->String, count));
            return Code.Done;
        }

        ListCell* source = subject->List;
        ListCell* result = _heap.NewList((int)total, source->Kind);
        for (int i = 0; i < count; i++)
        {
            CellHeap.CopyItems(source, 0, result, i * length, length);
        }

        *to = Value.Of(result);
        return Code.Done;
    }

    private static int Sign(Value* value) =>
        value->Tag == Tag.BigInt ? Integers.Of(value).Sign : Math.Sign(value->Payload);

    private static bool IsZero(Value* value) =>
        value->Tag == Tag.Float ? value->Float == 0 : value->Tag != Tag.BigInt && value->Payload == 0;

    private Code Divide(Value* a, Value* b, Value* to)
    {
        if (!IsNumber(a) || !IsNumber(b))
        {
            return Code.TypeMismatch;
        }

        if (IsZero(b))
        {
            return Code.DivisionByZero;
        }

        if (AreSmall(a, b))
        {
            long x = a->Payload;
            long y = b->Payload;
            if (y != -1 && x % y == 0)
            {
                return StoreInteger(to, x / y);
            }

            if (y != -1)
            {
                const long Exact = 1L << 53;
                *to = Value.Of(
                    x is >= -Exact and <= Exact && y is >= -Exact and <= Exact ? (double)x / y : Integers.Quotient(x, y)
                );
                return Code.Done;
            }

            return StoreInteger(to, -(BigInteger)x);
        }

        if (a->Tag == Tag.Float || b->Tag == Tag.Float)
        {
            if (!ChargeSizes(a, b))
            {
                return Code.OutOfGas;
            }

            *to = Value.Of(Integers.ToDouble(a) / Integers.ToDouble(b));
            return Code.Done;
        }

        if (!ChargeProduct(a, b))
        {
            return Code.OutOfGas;
        }

        BigInteger dividend = Integers.Of(a);
        BigInteger divisor = Integers.Of(b);
        BigInteger quotient = BigInteger.DivRem(dividend, divisor, out BigInteger remainder);
        if (remainder.IsZero)
        {
            return StoreInteger(to, quotient);
        }

        *to = Value.Of(Integers.Quotient(dividend, divisor));
        return Code.Done;
    }

    private Code Modulo(Value* a, Value* b, Value* to)
    {
        if (!IsNumber(a) || !IsNumber(b))
        {
            return Code.TypeMismatch;
        }

        if (IsZero(b))
        {
            return Code.DivisionByZero;
        }

        if (AreSmall(a, b))
        {
            long y = b->Payload;
            long remainder = y == -1 ? 0 : a->Payload % y;
            *to = Value.Of(remainder != 0 && (remainder < 0) != (y < 0) ? remainder + y : remainder);
            return Code.Done;
        }

        if (a->Tag == Tag.Float || b->Tag == Tag.Float)
        {
            if (!ChargeSizes(a, b))
            {
                return Code.OutOfGas;
            }

            *to = Value.Of(Floats.FloorMod(Integers.ToDouble(a), Integers.ToDouble(b)));
            return Code.Done;
        }

        if (!ChargeProduct(a, b))
        {
            return Code.OutOfGas;
        }

        *to = _heap.NewInteger(Integers.FloorMod(Integers.Of(a), Integers.Of(b)));
        return Code.Done;
    }

    private Code Power(Value* a, Value* b, Value* to)
    {
        if (!IsNumber(a) || !IsNumber(b))
        {
            return Code.TypeMismatch;
        }

        if (a->Tag == Tag.Float || b->Tag == Tag.Float)
        {
            return PowerOfFloats(a, b, to);
        }

        BigInteger exponent = Integers.Of(b);
        if (exponent.Sign < 0)
        {
            if (IsZero(a))
            {
                return Code.DivisionByZero;
            }

            if (!ChargeSizes(a, b))
            {
                return Code.OutOfGas;
            }

            *to = Value.Of(1 / Floats.Power(Integers.ToDouble(a), -exponent));
            return Code.Done;
        }

        BigInteger number = Integers.Of(a);
        if (number >= BigInteger.MinusOne && number <= BigInteger.One)
        {
            return StoreInteger(
                to,
                exponent.IsZero || number.IsOne ? 1
                    : number.IsZero ? 0
                    : exponent.IsEven ? 1
                    : -1
            );
        }

        long bits = BigInteger.Abs(number).GetBitLength();
        BigInteger words = exponent * bits / Zexus.Isa.Gas.BitsPerWord;
        long size = words > Zexus.Isa.Gas.LargestPowerSize ? Zexus.Isa.Gas.LargestPowerSize : (long)words;
        if (!Charge(size * size))
        {
            return Code.OutOfGas;
        }

        // The result has more than (bits - 1) * exponent bits: do not compute what cannot fit.
        if ((bits - 1) * exponent > _integerBits)
        {
            return Code.IntegerTooLarge;
        }

        return StoreInteger(to, BigInteger.Pow(number, (int)exponent));
    }

    private Code PowerOfFloats(Value* a, Value* b, Value* to)
    {
        double x = Integers.ToDouble(a);
        double y = Integers.ToDouble(b);
        bool integral = b->Tag != Tag.Float || (double.IsFinite(y) && double.IsInteger(y));
        if (integral)
        {
            BigInteger n = b->Tag != Tag.Float ? Integers.Of(b) : new BigInteger(y);
            if (x == 0 && n.Sign < 0)
            {
                return Code.DivisionByZero;
            }

            if (!ChargeSizes(a, b))
            {
                return Code.OutOfGas;
            }

            *to = Value.Of(n.Sign < 0 ? 1 / Floats.Power(x, -n) : Floats.Power(x, n));
            return Code.Done;
        }

        if (y is not (0.5 or -0.5) || x < 0)
        {
            return Code.Domain;
        }

        if (x == 0 && y < 0)
        {
            return Code.DivisionByZero;
        }

        if (!ChargeSizes(a, b))
        {
            return Code.OutOfGas;
        }

        *to = Value.Of(y < 0 ? 1 / Math.Sqrt(x) : Math.Sqrt(x));
        return Code.Done;
    }
}
