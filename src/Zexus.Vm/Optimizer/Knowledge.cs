namespace Zexus.Vm;

/// <summary>What is known of one value before the program runs.</summary>
/// <param name="Kinds">Its kind is one of these.</param>
/// <param name="Small">Its size is 0: it is no Int beyond 64 bits signed.</param>
internal readonly record struct Fact(KindSet Kinds, bool Small)
{
    public static Fact Unknown { get; } = new(KindSet.All, false);

    public static Fact Null { get; } = new(KindSet.Null, true);

    /// <summary>A value of these kinds; of an Int among them nothing more.</summary>
    public static Fact Of(KindSet kinds) => new(kinds, (kinds & KindSet.Int) == 0);

    public Fact Join(Fact other) => new(Kinds | other.Kinds, Small && other.Small);
}

/// <summary>
/// What is known at one place of a function: of each cell of the operand stack, of the variables that only the frame
/// itself can change, and of the registers. Immutable.
/// </summary>
internal sealed class Knowledge
{
    private readonly Cell? _top;

    private Knowledge(Cell? top, int height, Fact[] variables)
    {
        _top = top;
        Height = height;
        Variables = variables;
    }

    public Knowledge(Fact[] variables)
        : this(null, 0, variables) { }

    /// <summary>For what asks for nothing.</summary>
    public static Knowledge Nothing { get; } = new([]);

    /// <summary>Cells on the operand stack.</summary>
    public int Height { get; }

    /// <summary>Variables, then registers. Not to be changed.</summary>
    public Fact[] Variables { get; }

    public Fact Stack(int depth)
    {
        Cell cell = _top!;
        for (int i = 0; i < depth; i++)
        {
            cell = cell.Below!;
        }

        return cell.Fact;
    }

    public Knowledge Push(Fact fact) => new(new Cell(fact, _top), Height + 1, Variables);

    public Knowledge Pop(int count)
    {
        Cell? top = _top;
        for (int i = 0; i < count; i++)
        {
            top = top!.Below;
        }

        return count == 0 ? this : new Knowledge(top, Height - count, Variables);
    }

    public Knowledge With(int variable, Fact fact)
    {
        if (Variables[variable] == fact)
        {
            return this;
        }

        Fact[] variables = [.. Variables];
        variables[variable] = fact;
        return new Knowledge(_top, Height, variables);
    }

    /// <summary>Nothing is known any more but how many cells there are.</summary>
    public Knowledge Forget(int height)
    {
        Fact[] variables = new Fact[Variables.Length];
        Array.Fill(variables, Fact.Unknown);
        Knowledge result = new(variables);
        for (int i = 0; i < height; i++)
        {
            result = result.Push(Fact.Unknown);
        }

        return result;
    }

    /// <summary>What holds of both; this object itself when the other adds nothing to it.</summary>
    public Knowledge Join(Knowledge other)
    {
        if (ReferenceEquals(this, other))
        {
            return this;
        }

        Fact[] variables = Variables;
        for (int i = 0; i < Variables.Length; i++)
        {
            Fact joined = Variables[i].Join(other.Variables[i]);
            if (joined != Variables[i])
            {
                variables = ReferenceEquals(variables, Variables) ? [.. Variables] : variables;
                variables[i] = joined;
            }
        }

        Cell? top = Join(_top, other._top, Height);
        return ReferenceEquals(top, _top) && ReferenceEquals(variables, Variables)
            ? this
            : new Knowledge(top, Height, variables);
    }

    private static Cell? Join(Cell? left, Cell? right, int height)
    {
        Fact[] facts = new Fact[height];
        bool same = true;
        Cell? cell = left;
        for (int i = 0; i < height; i++)
        {
            facts[i] = cell!.Fact.Join(right!.Fact);
            same &= facts[i] == cell.Fact;
            cell = cell.Below;
            right = right.Below;
        }

        if (same)
        {
            return left;
        }

        Cell? result = null;
        for (int i = height - 1; i >= 0; i--)
        {
            result = new Cell(facts[i], result);
        }

        return result;
    }

    private sealed record Cell(Fact Fact, Cell? Below);
}
