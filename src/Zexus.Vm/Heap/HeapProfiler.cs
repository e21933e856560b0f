namespace Zexus.Vm;

/// <summary>Where a cell was made: a function of the table and an instruction of the source.</summary>
internal readonly record struct AllocationSite(int Function, int Instruction);

/// <summary>Counts cells by the place that made them and follows each to its end. Only when somebody asked for it.</summary>
internal sealed unsafe class HeapProfiler
{
    private readonly record struct Place(AllocationSite Site, CellKind Kind);

    private sealed class Counts
    {
        public long Cells;
        public long Bytes;
    }

    /// <summary>A cell that is there: its place, its size, and what there was when it was made.</summary>
    private readonly record struct Made(Place Place, long Bytes, long Collections, long Allocated);

    private readonly Dictionary<Place, Counts> _places = [];
    private readonly Dictionary<nint, Made> _cells = [];
    private readonly List<nint> _dead = [];
    private long _allocated;

    public void Add(Cell* cell, CellKind kind, long bytes, AllocationSite site, long collections)
    {
        Place place = new(site, kind);
        if (!_places.TryGetValue(place, out Counts? counts))
        {
            counts = new Counts();
            _places.Add(place, counts);
        }

        counts.Cells++;
        counts.Bytes += bytes;
        _cells[(nint)cell] = new Made(place, bytes, collections, _allocated);
        _allocated += bytes;
    }

    public void Remove(Cell* cell) => _cells.Remove((nint)cell);

    /// <summary>Between marking and sweeping: what has not this colour goes.</summary>
    public void Marked(byte colour)
    {
        _dead.Clear();
        foreach (nint cell in _cells.Keys)
        {
            if (((Cell*)cell)->Mark != colour)
            {
                _dead.Add(cell);
            }
        }

        foreach (nint cell in _dead)
        {
            _cells.Remove(cell);
        }
    }

    /// <summary>The places, those that made most first.</summary>
    public IReadOnlyList<HeapSite> Report(long collections)
    {
        Dictionary<Place, HeapSite> sites = [];
        foreach ((Place place, Counts counts) in _places)
        {
            sites[place] = new HeapSite
            {
                Function = place.Site.Function,
                Instruction = place.Site.Instruction,
                Kind = (HeapCellKind)place.Kind,
                AllocatedCells = counts.Cells,
                AllocatedBytes = counts.Bytes,
            };
        }

        foreach (Made made in _cells.Values)
        {
            HeapSite site = sites[made.Place];
            bool first = site.SurvivingCells == 0;
            sites[made.Place] = site with
            {
                SurvivingCells = site.SurvivingCells + 1,
                SurvivingBytes = site.SurvivingBytes + made.Bytes,
                OldestSurvived = Math.Max(site.OldestSurvived, collections - made.Collections),
                OldestMadeAt = first ? made.Allocated : Math.Min(site.OldestMadeAt, made.Allocated),
            };
        }

        return
        [
            .. sites
                .Values.OrderByDescending(site => site.AllocatedBytes)
                .ThenBy(site => site.Function)
                .ThenBy(site => site.Instruction)
                .ThenBy(site => site.Kind),
        ];
    }
}
