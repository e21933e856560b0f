using System.Reflection.Emit;

namespace Zexus.Vm;

/// <summary>
/// Loop-invariant guards of Lists, taken out of the loop. A loop in which the machine is not called and nothing is appended leaves each
/// List its kind, its length and its buffer, whatever items are written: nothing allocates, so nothing is collected, and an item that
/// would change the kind leaves compiled code first.
/// </summary>
internal sealed unsafe partial class FunctionCompiler
{
    private readonly Dictionary<int, ListUse> _listUses = [];
    private readonly Dictionary<int, LocalBuilder> _itemsOf = [];
    private readonly Dictionary<int, LocalBuilder> _countOf = [];
    private List<NaturalLoop> _loops = [];

    /// <summary>An instruction that reads or writes an item of a variable's List.</summary>
    private readonly record struct ListUse(int Slot, ElementKind Kind, long Low, long High);

    /// <summary>A head and all blocks from which it is reached again; entered at the head only.</summary>
    private sealed class NaturalLoop(Block head, HashSet<Block> body)
    {
        public Block Head { get; } = head;

        public HashSet<Block> Body { get; } = body;

        /// <summary>What is asked before the head.</summary>
        public List<Hoist> Hoists { get; } = [];
    }

    /// <summary>What a loop takes for granted of the List in a variable that it does not write.</summary>
    private sealed class Hoist
    {
        public required int Slot { get; init; }
        public required ElementKind Kind { get; init; }

        /// <summary>The List has at least so many items, so that an index below needs no look.</summary>
        public required long Count { get; init; }

        /// <summary>The instructions that rely on it.</summary>
        public required int[] Uses { get; init; }
    }

    /// <summary>Notes a use while the code is followed.</summary>
    private void NoteUse(int i, int list, int index, ElementKind kind)
    {
        if (!_il.Enabled && Values[list].Alias == Alias.Local)
        {
            AbstractValue at = Resolve(index);
            _listUses[i] = new ListUse(Values[list].Of, kind, at.Low, at.High);
        }
    }

    /// <summary>What has been asked of an operand's List before the loop; null when nothing has.</summary>
    private Hoist? HoistOf(int list) =>
        Values[list].Alias == Alias.Local && _block.Hoists.TryGetValue(Values[list].Of, out Hoist? hoist)
            ? hoist
            : null;

    /// <summary>
    /// Between following the code and emitting it. Variables that hold a List whenever a loop uses them, and of which nothing is known at its
    /// head, are assumed to hold one there; then the code is followed once more, and what holds with that is hoisted.
    /// </summary>
    private void FindHoists()
    {
        if (_assumeNothing || _listUses.Count == 0)
        {
            return;
        }

        _loops = FindLoops();
        bool assumed = false;
        foreach (NaturalLoop loop in _loops)
        {
            foreach (Hoist candidate in CandidatesOf(loop))
            {
                assumed |=
                    loop.Head.Entry!.Values[candidate.Slot].Kind == AbstractValue.Any
                    && loop.Head.AssumedLists.TryAdd(candidate.Slot, candidate.Uses);
            }
        }

        if (assumed)
        {
            FollowAnew();
            _loops = FindLoops();
        }

        // The outer loop first: what it has asked holds inside, too.
        foreach (NaturalLoop loop in _loops.OrderByDescending(it => it.Body.Count))
        {
            foreach (Hoist hoist in CandidatesOf(loop))
            {
                if (
                    loop.Head.Entry!.Values[hoist.Slot].Kind != (int)Tag.List
                    || loop.Body.Any(block => block.Hoists.ContainsKey(hoist.Slot))
                )
                {
                    continue;
                }

                loop.Hoists.Add(hoist);
                foreach (Block block in loop.Body)
                {
                    block.Hoists.Add(hoist.Slot, hoist);
                }
            }
        }
    }

    private void FollowAnew()
    {
        foreach (Block block in _blocks)
        {
            block.Entry = null;
            block.Joins = 0;
        }

        _listUses.Clear();
        _awaitingResult.Clear();
        _result = _isLoop ? AbstractValue.Any : null;
        Follow();
    }

    /// <summary>Loops of what is reached. One that can be entered elsewhere than at its head is none.</summary>
    private List<NaturalLoop> FindLoops()
    {
        Dictionary<Block, List<Block>> predecessors = [];
        List<(Block From, Block Head)> backEdges = [];
        foreach (Block block in _blocks.Where(it => it.Entry is not null))
        {
            foreach (Block successor in Successors(block).Where(it => it.Entry is not null))
            {
                if (!predecessors.TryGetValue(successor, out List<Block>? known))
                {
                    predecessors.Add(successor, known = []);
                }

                known.Add(block);
                if (successor.Number <= block.Number)
                {
                    backEdges.Add((block, successor));
                }
            }
        }

        List<NaturalLoop> loops = [];
        foreach (IGrouping<Block, (Block From, Block Head)> edges in backEdges.GroupBy(edge => edge.Head))
        {
            HashSet<Block> body = [edges.Key];
            Stack<Block> pending = new(edges.Select(edge => edge.From));
            while (pending.TryPop(out Block? block))
            {
                if (body.Add(block) && predecessors.TryGetValue(block, out List<Block>? before))
                {
                    before.ForEach(pending.Push);
                }
            }

            // A body that reaches back to the method's entry has it as an entry of its own.
            if (body.All(block => block == edges.Key || block.Start != _entry))
            {
                loops.Add(new NaturalLoop(edges.Key, body));
            }
        }

        return loops;
    }

    /// <summary>The variables with a List that the loop uses in one way only and does not write.</summary>
    private List<Hoist> CandidatesOf(NaturalLoop loop)
    {
        if (loop.Body.Any(block => block.ChangesLists))
        {
            return [];
        }

        HashSet<int> written = [];
        Dictionary<int, List<int>> uses = [];
        foreach (Block block in loop.Body)
        {
            for (int i = block.Start; i < block.End; i++)
            {
                _ = written.Add(FrameUses(i).Written);
                if (_listUses.TryGetValue(i, out ListUse use))
                {
                    if (!uses.TryGetValue(use.Slot, out List<int>? known))
                    {
                        uses.Add(use.Slot, known = []);
                    }

                    known.Add(i);
                }
            }
        }

        List<Hoist> hoists = [];
        foreach ((int slot, List<int> at) in uses)
        {
            ElementKind kind = _listUses[at[0]].Kind;
            // What a callee has is written by its call.
            if (
                slot >= _function->Slots
                || written.Contains(slot)
                || !at.TrueForAll(i => _listUses[i].Kind == kind && _seen[i].Hoist == 0)
            )
            {
                continue;
            }

            // Only an index whose bound is known here, and which a List may have.
            long count = at.Select(i => _listUses[i])
                .Where(use => use.Low >= 0 && use.High < _program.Limits.CollectionLength)
                .Select(use => use.High + 1)
                .DefaultIfEmpty(0)
                .Max();
            hoists.Add(
                new Hoist
                {
                    Slot = slot,
                    Kind = kind,
                    Count = count,
                    Uses = [.. at],
                }
            );
        }

        return hoists;
    }

    /// <summary>Does control that goes from a block, or from the method's entry, to another enter a loop that asks something first?</summary>
    private bool EntersLoop(Block? from, Block to) =>
        _loops.Exists(loop => loop.Head == to && loop.Hoists.Count > 0 && (from is null || !loop.Body.Contains(from)));

    /// <summary>Before the head of a loop, on a way into it: asks what the loop takes for granted, or leaves for the interpreter at the head.</summary>
    private void EnterLoops(Block? from, Block to)
    {
        if (!EntersLoop(from, to))
        {
            return;
        }

        foreach (Hoist hoist in _loops.First(loop => loop.Head == to).Hoists)
        {
            int slot = hoist.Slot;
            LocalBuilder count = Local(_countOf, slot, typeof(long));
            LocalBuilder items = Local(_itemsOf, slot, typeof(nint));
            PushElementKind(slot);
            _il.Int((int)hoist.Kind);
            Guard(
                OpCodes.Bne_Un,
                to.Start,
                ExitKind.Elements,
                giveBack: 0,
                note: NoteHoist(hoist.Uses),
                asker: hoist.Uses[0]
            );
            Field(slot, Members.ListCountOffset);
            _il.Op(OpCodes.Ldind_I4);
            _il.Op(OpCodes.Conv_U8);
            _il.Store(count);
            if (hoist.Count > 0)
            {
                _il.Load(count);
                _il.Long(hoist.Count);
                Guard(
                    OpCodes.Blt,
                    to.Start,
                    ExitKind.Range,
                    giveBack: 0,
                    note: NoteHoist(hoist.Uses),
                    asker: hoist.Uses[0]
                );
            }

            Field(slot, Members.ListItemsOffset);
            _il.Op(OpCodes.Ldind_I);
            _il.Store(items);
        }
    }

    /// <summary>Of variables that are assumed to hold a List at the head: asks those of which the kind is not known.</summary>
    private void GuardAssumedLists(FrameState from, Block to)
    {
        foreach ((int slot, int[] uses) in to.AssumedLists)
        {
            if (from.Values[slot].Kind == AbstractValue.Any && to.Entry!.Values[slot].Kind == (int)Tag.List)
            {
                PushTag(slot);
                _il.Long((long)Tag.List);
                long taken = to.IsPaidAhead ? FirstCost(to) : 0;
                Guard(OpCodes.Bne_Un, to.Start, ExitKind.Kind, giveBack: taken, note: NoteHoist(uses), asker: uses[0]);
                Refine(slot, (int)Tag.List);
            }
        }
    }

    /// <summary>What arrives at a head, as it is behind the guards on the way there.</summary>
    private static void AssumeLists(FrameState arriving, Block at)
    {
        foreach (int slot in at.AssumedLists.Keys)
        {
            ref AbstractValue value = ref arriving.Values[slot];
            if (value.Kind == AbstractValue.Any)
            {
                AbstractValue list = AbstractValue.OfKind((int)Tag.List);
                list.Clean = value.Clean;
                list.Elements = value.Elements;
                list.Inner = value.Inner;
                value = list;
            }
        }
    }

    /// <summary>Notes that these instructions had better ask at each turn.</summary>
    private Action NoteHoist(int[] uses) =>
        () =>
        {
            foreach (int i in uses)
            {
                Seen* seen = SeenAt(i);
                _il.Address(&seen->Hoist);
                _il.Int(1);
                _il.Op(OpCodes.Stind_I2);
            }
        };
}
