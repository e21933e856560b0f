namespace Zexus.Vm;

/// <summary>Where an operand really is while nothing has had to move it.</summary>
internal enum Alias : byte
{
    /// <summary>In its own place.</summary>
    None,

    /// <summary>It is a constant of the program.</summary>
    Constant,

    /// <summary>It is what a local variable or register holds.</summary>
    Local,
}

/// <summary>
/// What the compiler knows of one slot of the frame, variable or operand: its kind, of an Int the interval, and whether the
/// frame in memory has it already.
/// </summary>
internal struct AbstractValue
{
    /// <summary>Any kind at all; tag and payload are both variables of the compiled code.</summary>
    public const int Any = -1;

    /// <summary>Nothing reads it any more. Memory has some valid value if it is clean.</summary>
    public const int Dead = -2;

    /// <summary>A <see cref="Tag"/>, <see cref="Any"/> or <see cref="Dead"/>.</summary>
    public int Kind;
    public bool Clean;
    public Alias Alias;

    /// <summary>The constant's number or the local's slot.</summary>
    public int Of;

    /// <summary>Of a closure or a variable that is not allocated: the number of its virtual object; else 0.</summary>
    public int Virtual;

    /// <summary>Of a List: what its items are thought to be. A guess, never relied on without a guard.</summary>
    public ElementGuess Elements;

    /// <summary>Of a List of Lists: the same of the inner ones.</summary>
    public ElementGuess Inner;

    // Of Null, Bool and Int: the payload lies between them, both included.
    public long Low;
    public long High;

    public readonly bool IsIntegral => Kind is (int)Tag.Null or (int)Tag.Bool or (int)Tag.Int;

    public readonly bool IsFloat => Kind == (int)Tag.Float;

    public readonly bool IsNumber => IsIntegral || IsFloat;

    public static AbstractValue OfKind(int kind) =>
        kind switch
        {
            (int)Tag.Null => new AbstractValue { Kind = kind },
            (int)Tag.Bool => new AbstractValue { Kind = kind, High = 1 },
            _ => new AbstractValue
            {
                Kind = kind,
                Low = long.MinValue,
                High = long.MaxValue,
            },
        };

    public static AbstractValue Int(Int128 low, Int128 high) =>
        new()
        {
            Kind = (int)Tag.Int,
            Low = low < long.MinValue ? long.MinValue : (long)low,
            High = high > long.MaxValue ? long.MaxValue : (long)high,
        };

    /// <summary>Takes in what another way brings; true when that is more than was known to come.</summary>
    /// <param name="other">What comes; no alias.</param>
    /// <param name="widen">Jump to the next rough bound, so that loops settle.</param>
    public bool Join(in AbstractValue other, bool widen)
    {
        AbstractValue before = this;
        ElementGuess elements = GuessOf(this).Join(GuessOf(other));
        ElementGuess inner = InnerOf(this).Join(InnerOf(other));
        Clean &= other.Clean;
        if (Kind == Dead || other.Kind == Dead)
        {
            this = new AbstractValue { Kind = Dead, Clean = Clean };
        }
        else if (Kind != other.Kind)
        {
            bool clean = Clean;
            this = OfKind(Any);
            Clean = clean;
        }
        else if (Kind is (int)Tag.Int or (int)Tag.Bool)
        {
            if (other.Low < Low)
            {
                Low =
                    !widen ? other.Low
                    : other.Low >= 0 ? 0
                    : long.MinValue;
            }

            if (other.High > High)
            {
                High =
                    !widen ? other.High
                    : other.High <= int.MaxValue ? int.MaxValue
                    : long.MaxValue;
            }
        }

        Elements = elements;
        Inner = inner;
        return Kind != before.Kind
            || Elements != before.Elements
            || Inner != before.Inner
            || Clean != before.Clean
            || Low != before.Low
            || High != before.High;
    }

    /// <summary>What is no List says nothing of the Lists that stand here at other times.</summary>
    private static ElementGuess GuessOf(in AbstractValue value) =>
        value.Kind is Any or (int)Tag.List ? value.Elements : ElementGuess.Empty;

    private static ElementGuess InnerOf(in AbstractValue value) =>
        value.Kind is Any or (int)Tag.List ? value.Inner : ElementGuess.Empty;
}

/// <summary>What the items of a List are thought to be.</summary>
internal enum ElementGuess : byte
{
    Unknown,

    /// <summary>There are none yet.</summary>
    Empty,

    // In the order of the element kinds.
    Value,
    Bool,
    Int,
    Float,
}

internal static class ElementGuesses
{
    public static ElementGuess Of(ElementKind kind) => (ElementGuess)((int)ElementGuess.Value + (int)kind);

    public static unsafe ElementGuess Of(ListCell* list) => list->Count == 0 ? ElementGuess.Empty : Of(list->Kind);

    /// <summary>Of a List of Lists, what the first one's items are.</summary>
    public static unsafe ElementGuess InnerOf(ListCell* list)
    {
        if (list->Count == 0)
        {
            return ElementGuess.Empty;
        }

        Value first = list->Get(0);
        return first.Tag == Tag.List ? Of(first.List) : ElementGuess.Unknown;
    }

    public static ElementGuess Join(this ElementGuess a, ElementGuess b) =>
        a == b || b == ElementGuess.Empty ? a
        : a == ElementGuess.Empty ? b
        : ElementGuess.Unknown;
}
