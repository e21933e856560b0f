using System.Collections.Immutable;

namespace Zexus.Vm;

/// <summary>
/// The kinds of what charges look at in a function, and of what the claims of a pass speak of. A charge by the size of a variable is there because
/// the variable was known to be a number; a proof that does not know it any more would have to try every kind.
/// </summary>
internal sealed class ChargedKinds
{
    private readonly ValueAnalysis? _analysis;
    private readonly ILookup<int, int> _origins = Enumerable.Empty<int>().ToLookup(place => place);
    private readonly HashSet<int> _places = [];
    private readonly FramePlaces _frame;

    /// <summary>Looks at the code before a pass. Its places are numbered.</summary>
    public ChargedKinds(RewriteScope scope)
    {
        _frame = scope.Places;
        for (Node node = scope.Graph.First; !node.IsEnd; node = node.Next!)
        {
            if (node.HasVaryingCharges)
            {
                foreach (Charge charge in node.Charges)
                {
                    Add(charge.Amount);
                }
            }
        }

        if (_places.Count > 0)
        {
            _analysis = new ValueAnalysis(scope);
            _origins = _analysis.Origins(ofKinds: true);
        }
    }

    /// <summary>Adds to the claims of a pass, at each landing, the kinds that are known there of all the places.</summary>
    public void AddTo(List<(Node Landing, ImmutableArray<Claim> Claims)> cuts)
    {
        if (_analysis is null)
        {
            return;
        }

        foreach (Claim claim in cuts.SelectMany(cut => cut.Claims))
        {
            AddPlace(claim.Place);
            if (claim is Claim.Copy copy)
            {
                AddPlace(copy.Original);
            }
        }

        SortedSet<int> reliedOn = ValueAnalysis.WithOrigins(_places, _origins);
        for (int i = 0; i < cuts.Count; i++)
        {
            (Node landing, ImmutableArray<Claim> claims) = cuts[i];
            HashSet<Place> spokenOf =
            [
                .. claims.Where(claim => claim is Claim.Dead or Claim.OfKind).Select(claim => claim.Place),
            ];
            cuts[i] = (
                landing,
                [
                    .. claims,
                    .. _analysis
                        .Claims(landing, reliedOn, ofKinds: true)
                        .Where(claim => !spokenOf.Contains(claim.Place)),
                ]
            );
        }
    }

    private void Add(Amount amount)
    {
        switch (amount)
        {
            case Amount.VariableSize it:
                _ = _places.Add(_frame.OfSlot(it.Slot));
                break;
            case Amount.RegisterSize it:
                _ = _places.Add(_frame.OfRegister(it.Number));
                break;
            case Amount.Sum it:
                foreach (Amount part in it.Parts)
                {
                    Add(part);
                }

                break;
            default:
                break;
        }
    }

    private void AddPlace(Place place) =>
        _ = _places.Add(
            place switch
            {
                Place.Variable it => _frame.OfSlot(it.Slot),
                Place.Register it => _frame.OfRegister(it.Number),
                Place.Stack it => _frame.Count + it.Cell,
                _ => throw new InvalidOperationException($"no reading of {place.GetType().Name}"),
            }
        );
}
