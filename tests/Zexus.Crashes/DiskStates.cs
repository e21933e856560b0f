namespace Zexus.Crashes;

/// <summary>
/// What may stand on a disk after the power went off. A sync of a file puts all that was done to it before on the disk; of what came after, each
/// write is there or not, in any order, and any of its sectors of 512 bytes may be the only ones. A file that was created or removed since
/// its folder was synced, and not synced itself, is there or not.
/// </summary>
internal sealed class DiskStates(IReadOnlyList<DiskEvent> events)
{
    private const int SectorBytes = 512;

    /// <summary>What becomes of what no sync has put on the disk.</summary>
    internal enum Fate
    {
        Lost,
        Kept,
        KeptInPart,
        Torn,
        Reordered,
    }

    /// <summary>Writes the files of one such state.</summary>
    /// <param name="until">How many events had happened when the power went off.</param>
    /// <param name="fate">What becomes of unsynced events.</param>
    /// <param name="random">Which of them.</param>
    /// <param name="folder">An empty folder to put them in.</param>
    /// <param name="ignores">Files that need not survive.</param>
    public void Write(int until, Fate fate, Random random, string folder, Predicate<string> ignores)
    {
        IEnumerable<string> paths = events
            .Take(until)
            .Where(e => e is not DiskEvent.Said && e.Path.Length > 0 && !ignores(e.Path))
            .Select(e => e.Path)
            .Distinct()
            .Order(StringComparer.Ordinal);
        foreach (string path in paths)
        {
            if (Contents(path, until, fate, random) is { } bytes)
            {
                File.WriteAllBytes(Path.Combine(folder, path), bytes);
            }
        }
    }

    /// <summary>Null when the file is not there.</summary>
    private byte[]? Contents(string path, int until, Fate fate, Random random)
    {
        int synced = -1;
        int folderSynced = -1;
        for (int i = 0; i < until; i++)
        {
            if (events[i] is DiskEvent.Synced sync)
            {
                synced = sync.Path == path ? i : synced;
                folderSynced = sync.Path.Length == 0 ? i : folderSynced;
            }
        }

        Image image = new();
        List<DiskEvent> pending = [];
        for (int i = 0; i < until; i++)
        {
            DiskEvent e = events[i];
            if (e.Path != path || e is DiskEvent.Said or DiskEvent.Synced)
            {
                continue;
            }

            bool isOfFolder = e is DiskEvent.Created or DiskEvent.Removed;
            if (i < synced || (isOfFolder && i < folderSynced))
            {
                image.Apply(e);
            }
            else
            {
                pending.Add(e);
            }
        }

        switch (fate)
        {
            case Fate.Lost:
                break;
            case Fate.Kept:
                pending.ForEach(image.Apply);
                break;
            case Fate.KeptInPart:
                pending.Where(_ => random.Next(2) == 0).ToList().ForEach(image.Apply);
                break;
            case Fate.Torn:
                foreach (DiskEvent e in pending.Where(_ => random.Next(4) != 0))
                {
                    if (e is DiskEvent.Written written)
                    {
                        Tear(written, random).ForEach(image.Apply);
                    }
                    else
                    {
                        image.Apply(e);
                    }
                }

                break;
            case Fate.Reordered:
            {
                DiskEvent[] order = [.. pending.Where(_ => random.Next(4) != 0)];
                random.Shuffle(order);
                Array.ForEach(order, image.Apply);
                break;
            }

            default:
                throw new InvalidOperationException($"no fate {fate}");
        }

        return image.Exists ? image.Bytes : null;
    }

    private static List<DiskEvent> Tear(DiskEvent.Written written, Random random)
    {
        List<DiskEvent> kept = [];
        long end = written.Offset + written.Bytes.Length;
        for (long from = written.Offset; from < end; )
        {
            long to = Math.Min(end, ((from / SectorBytes) + 1) * SectorBytes);
            if (random.Next(2) == 0)
            {
                byte[] sector = written.Bytes[(int)(from - written.Offset)..(int)(to - written.Offset)];
                kept.Add(new DiskEvent.Written(written.Path, from, sector));
            }

            from = to;
        }

        return kept;
    }

    private sealed class Image
    {
        private byte[] _bytes = [];
        private int _length;

        public bool Exists { get; private set; }

        public byte[] Bytes => _bytes[.._length];

        public void Apply(DiskEvent e)
        {
            switch (e)
            {
                case DiskEvent.Created:
                    Exists = true;
                    break;
                case DiskEvent.Removed:
                    Exists = false;
                    Resize(0);
                    break;
                case DiskEvent.Truncated truncated:
                    Resize((int)truncated.Length);
                    break;
                case DiskEvent.Written written:
                    // A file that has bytes is there.
                    Exists = true;
                    Resize(Math.Max(_length, (int)written.Offset + written.Bytes.Length));
                    written.Bytes.CopyTo(_bytes, written.Offset);
                    break;
                default:
                    throw new InvalidOperationException($"{e} changes no file");
            }
        }

        private void Resize(int length)
        {
            if (length > _bytes.Length)
            {
                Array.Resize(ref _bytes, Math.Max(length, 2 * _bytes.Length));
            }

            if (length < _length)
            {
                _bytes.AsSpan(length, _length - length).Clear();
            }

            _length = length;
        }
    }
}
