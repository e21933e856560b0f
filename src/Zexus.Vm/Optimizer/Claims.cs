using System.Collections.Immutable;

namespace Zexus.Vm;

/// <summary>Where a value of a frame lives. A closed hierarchy.</summary>
public abstract record Place
{
    private Place() { }

    /// <summary>A variable of the frame that no function captures.</summary>
    /// <param name="Slot">Its place among parameters and locals.</param>
    public sealed record Variable(int Slot) : Place;

    /// <summary>A register.</summary>
    /// <param name="Number">0 to 15.</param>
    public sealed record Register(int Number) : Place;

    /// <summary>A cell of the operand stack.</summary>
    /// <param name="Cell">Counted from the bottom, 0 the lowest.</param>
    public sealed record Stack(int Cell) : Place;
}

/// <summary>
/// What a pass over a whole function relies on at a cut point. What no claim speaks of is the same on both sides. All claims of a
/// cut point hold together whenever control comes there; a proof takes them for granted where a path begins and shows them where
/// one ends. A closed hierarchy.
/// </summary>
public abstract record Claim
{
    private Claim(Place place)
    {
        Place = place;
    }

    /// <summary>What the claim is about.</summary>
    public Place Place { get; }

    /// <summary>Neither side reads the value before it is written: the two sides may hold different ones.</summary>
    public sealed record Dead(Place Place) : Claim(Place);

    /// <summary>
    /// The code after the pass has the value in a register. What the code before has in that register, and the code after in this place, is dead.
    /// </summary>
    /// <param name="Place">A variable.</param>
    /// <param name="Register">Its home. No other claim speaks of either.</param>
    public sealed record Home(Place Place, Place Register) : Claim(Place);

    /// <summary>In the code after the pass it holds this constant, a scalar; what the code before has there is dead.</summary>
    /// <param name="Place">A register.</param>
    /// <param name="Index">The constant's number in the translated program.</param>
    public sealed record Held(Place Place, int Index) : Claim(Place);

    /// <summary>It holds this constant, a scalar.</summary>
    /// <param name="Place">Where.</param>
    /// <param name="Index">The constant's number in the translated program.</param>
    public sealed record Constant(Place Place, int Index) : Claim(Place);

    /// <summary>It holds the same value as another place.</summary>
    /// <param name="Place">Where.</param>
    /// <param name="Original">The other place. No claim says that it is dead or itself a copy.</param>
    public sealed record Copy(Place Place, Place Original) : Claim(Place);

    /// <summary>It holds a value of this kind: Null, Bool, Int, Float or String.</summary>
    /// <param name="Place">Where.</param>
    /// <param name="Kind">One kind.</param>
    public sealed record OfKind(Place Place, KindSet Kind) : Claim(Place);
}

/// <summary>A place in the code that both sides reach together: the entry, and at least one point of every cycle.</summary>
/// <param name="Before">The instruction in the code before the pass.</param>
/// <param name="After">The instruction in the code after it.</param>
/// <param name="Claims">What holds there besides that the sides are alike.</param>
public sealed record CutPoint(int Before, int After, ImmutableArray<Claim> Claims);

/// <summary>
/// One application of a pass over a whole function, with what it takes to show that it changed nothing that can be observed
/// (translation validation, after Pnueli, Siegel and Singerman, TACAS 1998, and Necula, PLDI 2000).
/// </summary>
/// <param name="Function">The function's place in the function table.</param>
/// <param name="Pass">The name of the pass.</param>
/// <param name="Before">The code before it.</param>
/// <param name="After">The code after it.</param>
/// <param name="Cuts">
/// In ascending order: the entry, and every handler and target of a jump that both have; when jumps were threaded, of the targets only those
/// of backward jumps, for the others may be jumped over. What is claimed at the entry holds of a frame that begins: its locals and registers are Null.
/// At a handler nothing is claimed but what is dead and, of register form, which registers have what.
/// </param>
public sealed record Transformation(
    int Function,
    string Pass,
    TranslatedFunction Before,
    TranslatedFunction After,
    ImmutableArray<CutPoint> Cuts
);
