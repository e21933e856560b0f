using System.Numerics;
using Xunit;
using Zexus.Isa;

namespace Zexus.Vm.Tests;

/// <summary>Collections: what is garbage goes, what is in use stays, and no program can tell.</summary>
public unsafe class CollectionTests
{
    private static readonly VmOptions Plain = new();

    private static readonly VmOptions Stressed = new()
    {
        Collection = new CollectionOptions { Stress = true, Verify = true },
    };

    /// <summary>Roots that a test holds in its hand.</summary>
    private sealed class Hand(CellHeap heap, CollectionOptions? options = null) : IRootSource
    {
        private Value[] _values = GC.AllocateArray<Value>(64, pinned: true);
        private int _count;

        public void Begin() => heap.Begin(this, options ?? new CollectionOptions { Verify = true });

        public int Hold(Value value)
        {
            _values[_count] = value;
            return _count++;
        }

        public AllocationSite Site => new(3, 4);

        public void Drop(int index) => _values[index] = default;

        public void GiveRoots(CellHeap to)
        {
            Value* start = (Value*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref _values[0]);
            to.AddRoots(start, start + _count);
        }
    }

    private static ZexusProgram Load(string text)
    {
        AssemblyResult assembly = Assembler.Assemble(text, "test.zxa");
        Assert.True(assembly.Succeeded, string.Join('\n', assembly.Diagnostics));
        return ZexusProgram.Load(assembly.Program);
    }

    private static ExecutionResult Run(string text, VmOptions options)
    {
        using Vm vm = new(options);
        return vm.Execute(Load(text));
    }

    [Fact]
    public void Size_classes_fit_waste_about_a_fifth_and_lie_in_all_sets_of_a_cache()
    {
        SizeClass[] classes = SizeClass.NewTable();
        for (int bytes = 16; bytes <= SizeClass.Largest; bytes++)
        {
            int number = SizeClass.Of(bytes);
            Assert.InRange(classes[number].Bytes, bytes, Math.Max((bytes + 15) & ~15, (bytes * 5 / 4) + 16));
            Assert.True(classes[number - 1].Bytes < bytes);
        }

        Assert.Equal(SizeClass.Count - 1, SizeClass.Of(SizeClass.Largest));
        Assert.All(classes.Where(it => it.Bytes > 512), it => Assert.Equal(64, it.Bytes % 128));
    }

    [Fact]
    public void Options_that_make_no_sense_are_refused()
    {
        CollectionOptions[] senseless =
        [
            new() { FirstTriggerBytes = 0 },
            new() { FirstTriggerBytes = -1 },
            new() { GrowthFactor = 1 },
            new() { GrowthFactor = double.NaN },
            new() { GrowthFactor = double.PositiveInfinity },
            new() { StressCollections = 0 },
        ];
        using Vm vm = new();
        foreach (CollectionOptions options in senseless)
        {
            VmOptions wrong = new() { Collection = options };
            Assert.Throws<ArgumentOutOfRangeException>(() => new Vm(wrong));
            Assert.Throws<ArgumentOutOfRangeException>(() => vm.Options = wrong);
        }

        Assert.Throws<ArgumentNullException>(() => new Vm(new VmOptions { Collection = null! }));
        CollectionOptions least = new()
        {
            FirstTriggerBytes = 1,
            GrowthFactor = 1.01,
            StressCollections = 1,
        };
        vm.Options = new VmOptions { Collection = least };
        Assert.Same(least, vm.Options.Collection);
    }

    [Fact]
    public void What_nothing_reaches_is_freed()
    {
        using CellHeap heap = new();
        Hand hand = new(heap, new CollectionOptions { FirstTriggerBytes = 1L << 40, Verify = true });
        hand.Begin();
        hand.Hold(Value.Of(heap.NewNullList(3)));
        for (int i = 0; i < 10_000; i++)
        {
            heap.NewNullList(i % 40);
            heap.NewString("garbage number " + i);
            heap.NewInteger(BigInteger.One << (64 + i % 500));
        }

        heap.NewNullList(10_000);
        heap.Collect();
        HeapStatistics statistics = heap.Statistics();
        Assert.Equal(1, statistics.LiveCells);
        Assert.Equal(80 + CellChecks.Prefix, statistics.LiveBytes);
        Assert.Equal(30_001, statistics.FreedCells);
        Assert.Equal(1, statistics.Collections);
        Assert.True(statistics.PeakBytes > statistics.LiveBytes);
    }

    [Fact]
    public void A_freed_large_buffer_is_kept_for_the_next_of_its_size_until_memory_is_short()
    {
        MemoryGuard guard = new();
        using CellHeap heap = new(guard);
        Hand hand = new(heap, new CollectionOptions { FirstTriggerBytes = 1L << 40, Verify = true });
        hand.Begin();
        BufferCell* first = heap.NewBuffer(1_000_000);
        heap.FreeBuffer(first);
        Assert.InRange(heap.Statistics().KeptBytes, 1_000_000, 1_100_000);
        Assert.True(heap.NewBuffer(900_000) == first);
        Assert.Equal(0, heap.Statistics().KeptBytes);

        // What a collection frees is kept, too, and what is left at the end; but not all of it.
        for (int i = 0; i < 100; i++)
        {
            heap.NewBuffer(1_000_000);
        }

        heap.Collect();
        long kept = heap.Statistics().KeptBytes;
        Assert.InRange(kept, 30_000_000, 32 * 1024 * 1024);
        heap.Reset();
        Assert.Equal(kept, heap.Statistics().KeptBytes);
        guard.Limit = heap.Bytes + 100_000;
        heap.NewBuffer(8_000_000);
        Assert.Equal(0, heap.Statistics().KeptBytes);
        Assert.InRange(heap.Bytes, 8_000_000, 8_600_000);
    }

    [Fact]
    public void Stress_sees_a_write_to_a_kept_buffer()
    {
        using CellHeap heap = new();
        Hand hand = new(heap, new CollectionOptions { Stress = true });
        hand.Begin();
        BufferCell* buffer = heap.NewBuffer(100_000);
        heap.FreeBuffer(buffer);
        BufferCell.Data(buffer)[90_000] = 1;
        InvalidOperationException broken = Assert.Throws<InvalidOperationException>(() => heap.NewBuffer(100_000));
        Assert.Contains("somebody wrote to it", broken.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Freed_memory_is_used_again()
    {
        using CellHeap heap = new();
        Hand hand = new(heap, new CollectionOptions { FirstTriggerBytes = 100_000 });
        hand.Begin();
        for (int i = 0; i < 1_000_000; i++)
        {
            heap.NewNullList(i % 20);
        }

        Assert.InRange(heap.Bytes, 1, 4 * 1024 * 1024);
        HeapStatistics statistics = heap.Statistics();
        Assert.True(statistics.Collections > 100);
        Assert.Equal(1_000_000, statistics.AllocatedCells);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void One_cell_that_is_unlike_all_others_of_its_block_is_found(bool isGarbage)
    {
        using CellHeap heap = new();
        Hand hand = new(heap, new CollectionOptions { FirstTriggerBytes = 1L << 40, Verify = true });
        hand.Begin();
        ListCell* held = heap.NewNullList(20_000);
        hand.Hold(Value.Of(held));
        int live = 1;
        for (int i = 0; i < held->Count; i++)
        {
            VariableCell* cell = heap.NewVariable(default);
            if (i % 1999 == 0 != isGarbage)
            {
                held->Values[i] = Value.Of(cell);
                live++;
            }
        }

        heap.Collect();
        Assert.Equal(live, heap.Statistics().LiveCells);
        heap.Collect();
        Assert.Equal(live, heap.Statistics().LiveCells);
    }

    /// <summary>Of 40,000 Variables those that the predicate names are held; they have their numbers.</summary>
    private static ListCell* Scattered(CellHeap heap, Hand hand, Func<int, bool> isHeld)
    {
        ListCell* held = heap.NewNullList(40_000);
        hand.Hold(Value.Of(held));
        for (int i = 0; i < held->Count; i++)
        {
            VariableCell* cell = heap.NewVariable(Value.Of((long)i));
            if (isHeld(i))
            {
                held->Values[i] = Value.Of(cell);
            }
        }

        return held;
    }

    private static HashSet<nint> HeldIn(ListCell* held)
    {
        HashSet<nint> cells = [];
        for (int i = 0; i < held->Count; i++)
        {
            if (held->Get(i).IsCell)
            {
                cells.Add((nint)held->Get(i).Cell);
            }
        }

        return cells;
    }

    private static void AssertUntouched(ListCell* held)
    {
        for (int i = 0; i < held->Count; i++)
        {
            if (held->Get(i).IsCell)
            {
                Assert.Equal(Value.Of((long)i), ((VariableCell*)held->Get(i).Cell)->Value);
            }
        }
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(1, 1)]
    [InlineData(1, 3)]
    [InlineData(300, 0)]
    public void Garbage_among_cells_in_use_is_taken_once_each_before_any_new_block(int collections, int seed)
    {
        using CellHeap heap = new();
        Hand hand = new(heap, new CollectionOptions { FirstTriggerBytes = 1L << 40, Verify = true });
        hand.Begin();
        Random random = new(seed);
        int oneIn = seed + 2;
        ListCell* held = Scattered(heap, hand, i => i % 20_000 < 300 ? i % 2 == 0 : random.Next(oneIn) > 0);

        // What waits is not swept in between: it waits for as long as nobody takes it.
        for (int i = 0; i < collections; i++)
        {
            heap.Collect();
        }

        HashSet<nint> inUse = HeldIn(held);
        HashSet<nint> blocks = [.. inUse.Select(cell => cell / CellHeap.BlockBytes)];
        int free = held->Count - inUse.Count;
        for (int i = 0; i < free; i++)
        {
            nint cell = (nint)heap.NewVariable(default);
            Assert.True(inUse.Add(cell), "a cell in use was given away");
            Assert.Contains(cell / CellHeap.BlockBytes, blocks);
        }

        AssertUntouched(held);
        heap.Collect();
        AssertUntouched(held);
    }

    [Fact]
    public void A_buffer_given_back_into_a_block_that_waits_for_being_swept_is_taken_once()
    {
        using CellHeap heap = new();
        Hand hand = new(heap, new CollectionOptions { FirstTriggerBytes = 1L << 40, Verify = true });
        hand.Begin();
        ListCell* held = heap.NewNullList(2_000);
        hand.Hold(Value.Of(held));
        for (int i = 0; i < held->Count; i++)
        {
            ListCell* list = heap.NewList(0);
            held->Values[i] = Value.Of(list);
            heap.Append(list, Value.Of((long)i));
            heap.NewBuffer(BufferCell.Capacity(list->Owner));
        }

        heap.Collect();
        HashSet<nint> taken = [];
        for (int i = 0; i < held->Count; i += 3)
        {
            // The last collection was long ago for some of them, and for others their block is half swept.
            ListCell* list = (ListCell*)held->Get(i).Cell;
            heap.FreeBuffer(list->Owner);
            list->Owner = null;
            list->Count = 0;
            list->Capacity = 0;
            list->Items = (byte*)(list + 1);
            int taking = i < held->Count / 2 ? 0 : 4;
            for (int n = 0; n < taking; n++)
            {
                Assert.True(taken.Add((nint)heap.NewBuffer(100)), "a buffer was given away twice");
            }
        }

        for (int i = 0; i < 4_000; i++)
        {
            Assert.True(taken.Add((nint)heap.NewBuffer(100)), "a buffer was given away twice");
        }

        for (int i = 0; i < held->Count; i++)
        {
            ListCell* list = (ListCell*)held->Get(i).Cell;
            Assert.True(list->Owner is null || !taken.Contains((nint)list->Owner), "a buffer in use was given away");
            Assert.Equal(list->Owner is null ? 0 : 1, list->Count);
        }

        heap.Collect();
    }

    [Fact]
    public void Colours_come_round()
    {
        using CellHeap heap = new();
        Hand hand = new(heap, new CollectionOptions { FirstTriggerBytes = 1L << 40, Verify = true });
        hand.Begin();
        ListCell* held = heap.NewNullList(1_500);
        hand.Hold(Value.Of(held));
        ListCell* large = heap.NewNullList(2_000);
        hand.Hold(Value.Of(large));
        Random random = new(1);
        for (int i = 0; i < 600; i++)
        {
            // Of some sizes there is garbage all the time that nothing takes; new cells, freed buffers and rests of runs of others.
            int live = 2 + held->Count + 1;
            for (int n = 0; n < 20; n++)
            {
                int at = random.Next(held->Count);
                ListCell* list = heap.NewNullList(i % 100 < 50 ? random.Next(12) : 2);
                held->Values[at] = Value.Of(list);
                heap.Append(list, default);
                heap.Append(list, Value.Of(heap.NewVariable(default)));
                heap.NewNullList(1_200);
            }

            heap.Collect();
            Assert.True(heap.Statistics().LiveCells < 4 * live);
        }
    }

    [Fact]
    public void A_crowded_block_is_left_alone_until_memory_is_short()
    {
        // A checked build sweeps every block at once.
        bool isChecked = CellChecks.Prefix > 0;
        if (isChecked)
        {
            return;
        }

        MemoryGuard guard = new();
        using CellHeap heap = new(guard);
        Hand hand = new(heap, new CollectionOptions { FirstTriggerBytes = 1L << 40, Verify = true });
        hand.Begin();
        ListCell* held = Scattered(heap, hand, i => i % 50 != 0);
        heap.Collect();
        HashSet<nint> inUse = HeldIn(held);
        int inBlock = CellHeap.BlockBytes / sizeof(VariableCell);
        HashSet<nint> crowded =
        [
            .. inUse
                .GroupBy(cell => cell / CellHeap.BlockBytes)
                .Where(cells => cells.Count() > inBlock * 0.9)
                .Select(cells => cells.Key),
        ];
        long collections = heap.Statistics().Collections;
        guard.Limit = heap.Bytes;
        int others = 0;
        nint cell;
        while (!crowded.Contains((cell = (nint)heap.NewVariable(default)) / CellHeap.BlockBytes))
        {
            Assert.True(inUse.Add(cell), "a cell in use was given away");
            others++;
        }

        // The block that was filled last is not crowded, and there are some that had nothing yet.
        Assert.True(others > inBlock);
        int garbage = crowded.Count * inBlock / 50;
        for (int i = 0; i < garbage - 1; i++)
        {
            Assert.Contains(cell / CellHeap.BlockBytes, crowded);
            Assert.True(inUse.Add(cell), "a cell in use was given away");
            cell = (nint)heap.NewVariable(default);
        }

        Assert.Equal(collections, heap.Statistics().Collections);
        AssertUntouched(held);
        heap.Collect();
        AssertUntouched(held);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_class_that_has_free_cells_meets_no_guard(bool isStressed)
    {
        MemoryGuard guard = new();
        using CellHeap heap = new(guard);
        CollectionOptions options = new()
        {
            FirstTriggerBytes = 1L << 40,
            Verify = true,
            Stress = isStressed,
            StressCollections = 1,
            StressRun = 1000,
        };
        Hand hand = new(heap, options);
        hand.Begin();
        ListCell* held = heap.NewNullList(400_000);
        hand.Hold(Value.Of(held));
        guard.Limit = heap.Bytes + (2 * 1024 * 1024);
        int count = 0;
        try
        {
            for (int i = 0; ; i++)
            {
                VariableCell* cell = heap.NewVariable(Value.Of((long)i));
                if (i % 2 == 0)
                {
                    held->Values[count++] = Value.Of(cell);
                }
            }
        }
        catch (HostGuardException) { }

        Assert.True(count * (sizeof(VariableCell) + CellChecks.Prefix) > 1_600_000, $"only {count} cells are in use");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void Drawn_allocations_under_a_limit_are_given_away_once(int seed)
    {
        MemoryGuard guard = new();
        using CellHeap heap = new(guard);
        Random random = new(seed);
        int guards = 0;
        for (int execution = 0; execution < 3; execution++)
        {
            heap.Reset();
            guard.Limit = 3 * 1024 * 1024;
            CollectionOptions options = new() { FirstTriggerBytes = seed % 2 == 0 ? 30_000 : 1L << 40, Verify = true };
            Hand hand = new(heap, options);
            hand.Begin();
            const int Places = 8_000;
            ListCell* held = heap.NewNullList(Places);
            hand.Hold(Value.Of(held));
            ListCell* texts = heap.NewNullList(64);
            hand.Hold(Value.Of(texts));
            string[] expected = new string[64];
            int most = 40;
            for (int i = 0; i < 60_000; i++)
            {
                try
                {
                    int at = random.Next(Places);
                    switch (random.Next(10))
                    {
                        case < 5:
                            int items = random.Next(500) == 0 ? 1_500 : random.Next(1, most);
                            ListCell* list = heap.NewNullList(items);
                            Fill(list, at);
                            held->Values[at] = Value.Of(list);
                            break;
                        case 5:
                            if (held->Get(at).IsCell)
                            {
                                for (int n = random.Next(40); n >= 0; n--)
                                {
                                    heap.Append(held->Get(at).List, Value.Of((long)at));
                                }
                            }

                            break;
                        case 6:
                            int which = random.Next(64);
                            string more = new('x', random.Next(1, 300));
                            StringCell* right = heap.NewString(more);
                            int mark = heap.Protect(Value.Of(right));
                            StringCell* joined = texts->Get(which).IsCell
                                ? heap.TryAppend(texts->Get(which).String, right)
                                : right;
                            joined = joined is null ? heap.Concat(texts->Get(which).String, right) : joined;
                            heap.Release(mark);
                            texts->Values[which] = Value.Of(joined);
                            expected[which] += more;
                            if (expected[which].Length > 20_000)
                            {
                                texts->Values[which] = default;
                                expected[which] = "";
                            }

                            break;
                        case 7:
                            held->Values[at] = default;
                            break;
                        default:
                            AssertFilled(held, at);
                            break;
                    }

                    if (random.Next(4_000) == 0)
                    {
                        most = random.Next(2, 120);
                        int kept = random.Next(1, 20);
                        for (int n = 0; n < Places; n++)
                        {
                            held->Values[n] = random.Next(20) < kept ? held->Values[n] : default;
                        }

                        if (random.Next(2) == 0)
                        {
                            heap.Collect();
                        }
                    }
                }
                catch (HostGuardException)
                {
                    guards++;
                    heap.Release(0);
                    int kept = random.Next(1, 20);
                    for (int n = 0; n < Places; n++)
                    {
                        held->Values[n] = random.Next(20) < kept ? held->Values[n] : default;
                    }
                }
            }

            for (int n = 0; n < Places; n++)
            {
                AssertFilled(held, n);
            }

            for (int n = 0; n < 64; n++)
            {
                if (texts->Get(n).IsCell)
                {
                    Assert.Equal(expected[n], Text.ToDotNet(texts->Get(n).String));
                }
            }

            heap.Collect();
        }

        Assert.True(guards > 0);

        static void Fill(ListCell* list, int number)
        {
            for (int n = 0; n < list->Count; n++)
            {
                list->Values[n] = Value.Of((long)number);
            }
        }

        static void AssertFilled(ListCell* held, int at)
        {
            if (held->Get(at).IsCell)
            {
                ListCell* list = held->Get(at).List;
                for (int n = 0; n < list->Count; n++)
                {
                    Assert.Equal(Value.Of((long)at), list->Get(n));
                }
            }
        }
    }

    [Fact]
    public void Cycles_are_freed_and_kept_as_a_whole()
    {
        using CellHeap heap = new();
        Hand hand = new(heap);
        hand.Begin();
        ListCell* list = heap.NewList(0);
        int held = hand.Hold(Value.Of(list));
        TableCell* map = heap.NewTable(CellKind.Map, 0);
        heap.Append(list, new Value(Tag.Map, (long)map));
        Value key = Value.Of(heap.NewString("self"));
        hand.Hold(key);
        heap.Put(map, key, Value.Of(list));
        FunctionCell* function = heap.NewFunction(0, 1);
        FunctionCell.Captured(function)[0] = heap.NewVariable(Value.Of(list));
        heap.Append(list, Value.Of(function));
        heap.Collect();

        // List, its items, map, its entries, key, function, variable.
        Assert.Equal(7, heap.Statistics().LiveCells);
        hand.Drop(held);
        heap.Collect();
        Assert.Equal(1, heap.Statistics().LiveCells);
    }

    [Fact]
    public void Protected_values_are_roots_until_they_are_released()
    {
        using CellHeap heap = new();
        Hand hand = new(heap);
        hand.Begin();
        int mark = heap.Protect(Value.Of(heap.NewString("held")));
        heap.Collect();
        Assert.Equal("held", Text.ToDotNet(heap.Protected[mark].String));
        Assert.Equal(1, heap.Statistics().LiveCells);
        heap.Release(mark);
        heap.Collect();
        Assert.Equal(0, heap.Statistics().LiveCells);
    }

    [Fact]
    public void Strings_that_share_a_buffer_keep_it()
    {
        using CellHeap heap = new();
        Hand hand = new(heap);
        hand.Begin();
        int mark = heap.Protect(Value.Of(heap.NewString(new string('a', 300))));
        int piece = heap.Protect(Value.Of(heap.NewString("b")));
        StringCell* first = heap.Concat(heap.Protected[mark].String, heap.Protected[piece].String);
        int one = hand.Hold(Value.Of(first));
        int two = hand.Hold(Value.Of(heap.Concat(first, heap.Protected[piece].String)));
        heap.Release(mark);
        heap.Collect();
        Assert.Equal(3, heap.Statistics().LiveCells);
        hand.Drop(two);
        heap.Collect();
        Assert.Equal(2, heap.Statistics().LiveCells);
        Assert.Equal(new string('a', 300) + "b", Text.ToDotNet(first));
        hand.Drop(one);
        heap.Collect();
        Assert.Equal(0, heap.Statistics().LiveCells);
    }

    [Fact]
    public void A_million_lists_in_each_other_are_marked_without_recursion()
    {
        using CellHeap heap = new();
        Hand hand = new(heap, new CollectionOptions { FirstTriggerBytes = 1L << 40 });
        hand.Begin();
        Value inner = default;
        for (int i = 0; i < 1_000_000; i++)
        {
            ListCell* list = heap.NewList(2);
            list->Values[0] = inner;
            list->Values[1] = Value.Of((long)i);
            inner = Value.Of(list);
        }

        int held = hand.Hold(inner);
        heap.Collect();
        Assert.Equal(1_000_000, heap.Statistics().LiveCells);
        heap.Verify();
        hand.Drop(held);
        heap.Collect();
        Assert.Equal(0, heap.Statistics().LiveCells);
    }

    [Fact]
    public void Many_cells_with_buffers_in_a_row_are_all_followed()
    {
        using CellHeap heap = new();
        Hand hand = new(heap, new CollectionOptions { FirstTriggerBytes = 1L << 40 });
        hand.Begin();
        ListCell* all = heap.NewList(0);
        int held = hand.Hold(Value.Of(all));
        for (int i = 0; i < 300; i++)
        {
            ListCell* grown = heap.NewList(0);
            heap.Append(grown, Value.Of(heap.Scalar(0x100 + i)));
            heap.Append(all, Value.Of(grown));
            heap.Append(
                all,
                Value.Of(heap.Concat(heap.NewString(new string('a', 200)), heap.NewString(new string('b', 200))))
            );
        }

        heap.Collect();

        // Of each: list, its items, the scalar, text, its buffer.
        Assert.Equal(2 + (300 * 5), heap.Statistics().LiveCells);
        heap.Verify();
        hand.Drop(held);
        heap.Collect();
        Assert.Equal(0, heap.Statistics().LiveCells);
    }

    [Fact]
    public void Whatever_points_to_cells_is_followed_also_when_the_stack_of_cells_is_full()
    {
        using CellHeap heap = new();
        Hand hand = new(heap, new CollectionOptions { FirstTriggerBytes = 1L << 40 });
        hand.Begin();
        Value inner = default;
        int cells = 0;
        for (int i = 0; i < 3_000; i++)
        {
            // The last child is followed first: the others of each level wait.
            ListCell* level = heap.NewNullList(8);
            for (int child = 0; child < 7; child++)
            {
                level->Values[child] = Value.Of(heap.NewVariable(Value.Of((long)child)));
            }

            ListCell* shared = heap.NewList(0);
            heap.Append(shared, level->Values[0]);
            heap.Append(shared, inner);
            FunctionCell* function = heap.NewFunction(0, 12);
            for (int captured = 0; captured < 12; captured++)
            {
                FunctionCell.Captured(function)[captured] = heap.NewVariable(
                    captured < 11 ? default : Value.Of(shared)
                );
            }

            TableCell* map = heap.NewTable(CellKind.Map, 0);
            for (long key = 0; key < 12; key++)
            {
                heap.Put(map, Value.Of(key), key < 11 ? default : Value.Of(function));
            }

            level->Values[7] = new Value(Tag.Map, (long)map);
            inner = Value.Of(level);

            // Level, seven variables, shared and its items, function, its variables, map, entries, index.
            cells += 1 + 7 + 2 + 1 + 12 + 3;
        }

        int held = hand.Hold(inner);
        heap.Collect();
        Assert.Equal(cells, heap.Statistics().LiveCells);
        heap.Verify();
        hand.Drop(held);
        heap.Collect();
        Assert.Equal(0, heap.Statistics().LiveCells);
    }

    [Theory]
    [InlineData((int)Tag.Bool, (int)ElementKind.Bool, 1)]
    [InlineData((int)Tag.Int, (int)ElementKind.Int, 8)]
    [InlineData((int)Tag.Float, (int)ElementKind.Float, 8)]
    [InlineData((int)Tag.Null, (int)ElementKind.Value, 16)]
    public void A_list_stores_items_as_its_first_one_says_until_another_kind_comes(int itemTag, int itemKind, int bytes)
    {
        Tag tag = (Tag)itemTag;
        ElementKind wanted = (ElementKind)itemKind;
        using CellHeap heap = new();
        Hand hand = new(heap, new CollectionOptions { Stress = true, Verify = true });
        hand.Begin();
        Value first = new(tag, tag is Tag.Null ? 0 : 1);
        Value[] others = [Value.True, Value.Of(1L << 60), Value.Of(double.NaN), default, Value.Of(heap.NewString("x"))];
        hand.Hold(others[^1]);
        foreach (Value other in others)
        {
            foreach (bool push in new[] { true, false })
            {
                ListCell* list = heap.NewList(0);
                hand.Hold(Value.Of(list));
                for (int i = 0; i < 100; i++)
                {
                    heap.Append(list, first);
                }

                Assert.Equal(wanted, list->Kind);
                Assert.InRange(BufferCell.Capacity(list->Owner), 100 * bytes, (200 * bytes) + 128);
                if (push)
                {
                    heap.Append(list, other);
                }
                else
                {
                    heap.SetItem(list, 99, other);
                }

                bool same = other.Tag == tag;
                Assert.Equal(same ? wanted : ElementKind.Value, list->Kind);
                Assert.Equal(other, list->Get(list->Count - 1));
                Assert.All(Enumerable.Range(0, 99), i => Assert.Equal(first, list->Get(i)));

                // There is no way back but through the empty List.
                heap.SetItem(list, list->Count - 1, first);
                Assert.Equal(same ? wanted : ElementKind.Value, list->Kind);
                list->Count = 0;
                heap.Append(list, other);
                Assert.Equal(ElementKinds.Of(other.Tag), list->Kind);
                Assert.Equal(other, list->Get(0));
                heap.Collect();
            }
        }
    }

    [Fact]
    public void The_verifier_sees_what_is_broken()
    {
        Breaks("has items of no kind", (_, list) => list->Header.Width = 4);
        Breaks("has more items than capacity", (_, list) => list->Capacity = 2);
        Breaks(
            "neither true nor false",
            (_, list) =>
            {
                list->Header.Width = (byte)ElementKind.Bool;
                list->Items[1] = 2;
            }
        );
        Breaks(
            "another NaN than the one",
            (_, list) =>
            {
                list->Header.Width = (byte)ElementKind.Float;
                ((long*)list->Items)[1] = -1;
            }
        );
        Breaks("is reachable and not in use", (_, list) => list->Header.Mark = 0, "found different sums", "is no cell");
        Breaks("more items than capacity", (_, list) => list->Count = list->Capacity + 1);
        Breaks("holds a value of tag", (_, list) => list->Values[0].Tag = (Tag)99);
        Breaks("is a List, and a value says String", (_, list) => list->Values[0] = new Value(Tag.String, (long)list));
        Breaks("has its data elsewhere", (_, list) => list->Items += 16);
        Breaks("found different sums", (heap, list) => heap.FreeBuffer(list->Owner));

        // A checked build ends the process at the second time.
        bool isChecked = CellChecks.Prefix > 0;
        if (!isChecked)
        {
            Breaks(
                "on two lists",
                (heap, list) =>
                {
                    heap.FreeBuffer(list->Owner);
                    heap.FreeBuffer(list->Owner);
                }
            );
        }
    }

    private delegate void Breaking(CellHeap heap, ListCell* list);

    private static void Breaks(string problem, Breaking breaking, params string[] or)
    {
        using CellHeap heap = new();
        Hand hand = new(heap);
        hand.Begin();
        ListCell* list = heap.NewNullList(2);
        hand.Hold(Value.Of(list));
        heap.Append(list, default);

        // Its buffer lies behind the first's, so that what is free does not.
        ListCell* second = heap.NewNullList(2);
        hand.Hold(Value.Of(second));
        heap.Append(second, default);
        heap.Collect();
        breaking(heap, list);
        InvalidOperationException broken = Assert.Throws<InvalidOperationException>(heap.Verify);
        Assert.Contains([problem, .. or], text => broken.Message.Contains(text, StringComparison.Ordinal));
    }

    [Fact]
    public void Stress_sees_a_write_to_freed_memory()
    {
        using CellHeap heap = new();
        Hand hand = new(heap, new CollectionOptions { Stress = true });
        hand.Begin();
        hand.Hold(Value.Of(heap.NewNullList(4)));
        hand.Hold(Value.Of(heap.NewNullList(4)));
        Value* stale = heap.NewNullList(4)->Values + 2;
        heap.Collect();
        *stale = Value.Of(7L);
        InvalidOperationException broken = Assert.Throws<InvalidOperationException>(() =>
        {
            for (int i = 0; i < 3; i++)
            {
                hand.Hold(Value.Of(heap.NewNullList(4)));
            }
        });
        Assert.Contains("somebody wrote to it", broken.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_profile_says_where_cells_come_from_and_which_survive()
    {
        const string text = """
            .func main() locals i
                BUILD_LIST 0
                STORE_NAME kept
                STORE_CONST i, 0
            loop:
                LOAD_NAME i
                BUILD_LIST 1
                POP
                LOAD_NAME kept
                LOAD_CONST "text "
                LOAD_NAME i
                ADD
                CALL_METHOD push, 1
                POP
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST 1000
                LT
                JUMP_IF_TRUE loop
                LOAD_NAME i
            .end
            """;
        CollectionOptions options = new()
        {
            Profile = true,
            FirstTriggerBytes = 20_000,
            Verify = true,
        };
        HeapStatistics heap = Run(text, new VmOptions { Collection = options }).Heap;
        Assert.NotNull(heap.Sites);
        HeapSite garbage = Assert.Single(heap.Sites, site => site is { Instruction: 4, Kind: HeapCellKind.List });
        Assert.Equal((1000, 0), (garbage.AllocatedCells, garbage.SurvivingCells));
        HeapSite texts = Assert.Single(heap.Sites, site => site is { Instruction: 9, Kind: HeapCellKind.String });
        Assert.Equal(1000, texts.SurvivingCells);
        Assert.True(texts.AllocatedCells >= 1000 && texts.OldestSurvived > 1 && texts.OldestMadeAt < 1000);
        Assert.Equal(heap.AllocatedCells, heap.Sites.Sum(site => site.AllocatedCells));
        Assert.Equal(heap.AllocatedBytes, heap.Sites.Sum(site => site.AllocatedBytes));
        Assert.Equal(heap.LiveBytes, heap.Sites.Sum(site => site.SurvivingBytes));
        Assert.Null(Run(text, Plain).Heap.Sites);
    }

    /// <summary>Of the arguments, which are made before the entry function has begun, on a new machine and on one that has executed before.</summary>
    [Fact]
    public void A_profile_of_the_heap_has_what_the_entry_function_is_given()
    {
        AssemblyResult assembly = Assembler.Assemble(
            ".func main()\n.end\n.func given(list)\nLOAD_NAME list\n.end",
            "test"
        );
        ZexusProgram program = ZexusProgram.Load(assembly.Program);
        Data list = Data.NewList([Data.NewString("text"), Data.NewString("other")]);
        using Vm vm = new(new VmOptions { Collection = new CollectionOptions { Profile = true } });
        for (int i = 0; i < 2; i++)
        {
            ExecutionResult result = vm.Execute(program, EntryCall.Named(assembly.Program, "given", list));
            Assert.Equal(2, result.Value.Items.Count);
            Assert.NotEmpty(result.Heap.Sites!);
            Assert.All(result.Heap.Sites!, site => Assert.Equal((1, 0), (site.Function, site.Instruction)));
        }
    }

    private const string Churn = """
        .func main() locals i, keep, text
            BUILD_LIST 0
            STORE_NAME keep
            STORE_CONST i, 0
        loop:
            LOAD_NAME i
            LOAD_CONST 2000000
            LT
            JUMP_IF_FALSE done
            LOAD_NAME i
            LOAD_NAME i
            BUILD_LIST 2
            STORE_NAME keep
            LOAD_CONST "n"
            LOAD_NAME i
            ADD
            STORE_NAME text
            LOAD_NAME i
            INC
            STORE_NAME i
            JUMP loop
        done:
            LOAD_NAME keep
            LOAD_NAME text
            BUILD_LIST 2
        .end
        """;

    [Fact]
    public void A_loop_that_allocates_a_hundred_times_the_limit_runs_in_it()
    {
        const long Limit = 2L * 1024 * 1024;
        ExecutionResult result = Run(Churn, new VmOptions { MemoryLimit = Limit });
        Assert.True(result.IsCompleted);
        Assert.Equal("n1999999", result.Value.Items[1].AsString);
        Assert.True(result.Heap.AllocatedBytes > 100 * Limit);
        Assert.InRange(result.Heap.ReservedBytes, 1, Limit);
        Assert.True(result.Heap.Collections > 0);
    }

    [Theory]
    [InlineData(
        "BUILD_LIST 0\n    STORE_NAME all",
        "LOAD_NAME all\n    LOAD_NAME i\n    LOAD_NAME i\n    BUILD_LIST 2\n    CALL_METHOD push, 1\n    POP"
    )]
    [InlineData(
        "LOAD_CONST \"x\"\n    STORE_NAME all",
        "LOAD_NAME all\n    LOAD_NAME i\n    BUILD_LIST 2\n    STORE_NAME all"
    )]
    public void What_is_in_use_meets_the_memory_guard(string start, string step)
    {
        string text = $"""
            .func main() locals i, all
                {start}
                STORE_CONST i, 0
            loop:
                {step}
                LOAD_NAME i
                INC
                STORE_NAME i
                JUMP loop
            .end
            """;
        using Vm vm = new(new VmOptions { MemoryLimit = 8L * 1024 * 1024 });
        HostGuardException stopped = Assert.Throws<HostGuardException>(() => vm.Execute(Load(text)));
        Assert.Equal(HostGuard.Memory, stopped.Guard);
        Assert.True(vm.Execute(Load(".func main()\n    LOAD_CONST 1\n.end")).IsCompleted);
    }

    /// <summary>What each helper that allocates does, so that stress meets all of them.</summary>
    public static TheoryData<string, string> Programs =>
        new()
        {
            {
                "map, filter, reduce and sort call back",
                """
                    .func main() locals list
                        LOAD_CONST 12
                        CALL_BUILTIN range, 1
                        STORE_FUNC twice, twice
                        STORE_FUNC odd, odd
                        STORE_FUNC join, join
                        STORE_FUNC down, down
                        LOAD_NAME twice
                        CALL_METHOD map, 1
                        STORE_NAME list
                        LOAD_NAME list
                        LOAD_NAME odd
                        CALL_METHOD filter, 1
                        LOAD_NAME list
                        LOAD_NAME down
                        CALL_METHOD sort, 1
                        LOAD_NAME list
                        CALL_METHOD sort, 0
                        LOAD_NAME list
                        LOAD_NAME join
                        LOAD_CONST ""
                        CALL_METHOD reduce, 2
                        BUILD_LIST 4
                    .end
                    .func twice(x)
                        LOAD_CONST "v"
                        LOAD_NAME x
                        ADD
                    .end
                    .func odd(x)
                        LOAD_NAME x
                        LOAD_CONST "1"
                        CALL_METHOD contains, 1
                    .end
                    .func join(a, x)
                        LOAD_NAME a
                        LOAD_NAME x
                        ADD
                    .end
                    .func down(a, b)
                        LOAD_CONST "x"
                        LOAD_NAME a
                        ADD
                        POP
                        LOAD_NAME a
                        LOAD_NAME b
                        LT
                        LOAD_NAME a
                        LOAD_NAME b
                        GT
                        SUB
                    .end
                    """
            },
            {
                "collections, text and big numbers",
                """
                    .func main() locals m, t, n
                        LOAD_CONST "a"
                        LOAD_CONST 1
                        LOAD_CONST "b"
                        LOAD_CONST [1, [2, {"k": "v"}]]
                        BUILD_MAP 2
                        STORE_NAME m
                        LOAD_NAME m
                        LOAD_CONST "c"
                        LOAD_CONST 36893488147419103232
                        LOAD_CONST 36893488147419103232
                        MUL
                        CALL_METHOD set, 2
                        CALL_METHOD entries, 0
                        LOAD_NAME m
                        CALL_METHOD keys, 0
                        LOAD_CONST "one two three"
                        LOAD_CONST " "
                        CALL_METHOD split, 1
                        LOAD_CONST "-"
                        CALL_METHOD join, 1
                        LOAD_CONST "e"
                        LOAD_CONST "EE"
                        CALL_METHOD replace, 2
                        CALL_METHOD upper, 0
                        LOAD_CONST "abc"
                        LOAD_CONST 200
                        MUL
                        LOAD_CONST "xyz"
                        ADD
                        LOAD_CONST "more"
                        ADD
                        LOAD_NAME m
                        HASH_BLOCK
                        LOAD_CONST 1
                        LOAD_CONST 2
                        MERKLE_ROOT 2
                        LOAD_CONST "a"
                        LOAD_CONST 1.5
                        LOAD_CONST 1
                        BUILD_SET 3
                        LOAD_CONST [1, 2]
                        LOAD_CONST [3]
                        ADD
                        LOAD_CONST 36893488147419103232
                        LOAD_CONST 36893488147419103239
                        CALL_BUILTIN range, 2
                        BUILD_LIST 9
                    .end
                    """
            },
            {
                "a big map grows its index",
                """
                    .func main() locals m, i
                        BUILD_MAP 0
                        STORE_NAME m
                        STORE_CONST i, 0
                    loop:
                        LOAD_NAME m
                        LOAD_CONST "key "
                        LOAD_NAME i
                        ADD
                        LOAD_NAME i
                        BUILD_LIST 1
                        CALL_METHOD set, 2
                        POP
                        LOAD_NAME i
                        INC
                        STORE_NAME i
                        LOAD_NAME i
                        LOAD_CONST 60
                        LT
                        JUMP_IF_TRUE loop
                        LOAD_NAME m
                    .end
                    """
            },
            {
                "state, events, and a fault that is caught",
                """
                    .func main() locals r
                        STORE_FUNC seen, seen
                        REGISTER_EVENT "e", "seen"
                        LOAD_CONST "k"
                        LOAD_CONST [1, {"x": ["deep"]}]
                        STATE_WRITE
                        LOAD_CONST "k"
                        STATE_READ
                        SETUP_TRY caught
                        LOAD_CONST "left "
                        LOAD_CONST {"payload": [1, 2, 3]}
                        EMIT_EVENT "e"
                        LOAD_CONST "and thrown "
                        LOAD_CONST 7
                        ADD
                        THROW
                    caught:
                        STORE_NAME r
                        LOAD_NAME r
                        LOAD_NAME log
                        BUILD_LIST 3
                    .end
                    .func seen(p)
                        LOAD_CONST "seen "
                        LOAD_NAME p
                        ADD
                        STORE_NAME log
                    .end
                    """
            },
        };

    [Theory]
    [MemberData(nameof(Programs))]
    public void Stress_changes_nothing(string name, string text)
    {
        string expected = Observables.Of(Run(text, Plain));
        ExecutionResult stressed = Run(text, Stressed);
        Assert.Equal(expected, Observables.Of(stressed));
        Assert.True(stressed.IsCompleted, name);
        Assert.True(stressed.Heap.Collections > 10);
        Assert.True(stressed.Heap.FreedCells > 0);
    }

    [Fact]
    public void Captured_variables_and_segments_of_the_stack_are_roots()
    {
        // f(n, s, ... 1000 locals) = n = 0 ? s : f(n - 1, s + "x") + "!": more frames than one segment has room for.
        Assembly a = new();
        string[] locals = [.. Enumerable.Range(0, 1000).Select(i => "l" + i)];
        a.Function("main", [a.Const(200), a.Const("s"), Assembly.Op(Opcode.CALL_FUNC_CONST, 1, 2)]);
        a.Function(
            "f",
            [
                a.Load("n"),
                Assembly.Op(Opcode.JUMP_IF_TRUE, 4),
                a.Load("s"),
                Assembly.Op(Opcode.RETURN),
                a.Load("s"),
                a.Const("y"),
                Assembly.Op(Opcode.ADD),
                a.Store("l999"),
                a.Load("n"),
                Assembly.Op(Opcode.DEC),
                a.Load("s"),
                a.Const("x"),
                Assembly.Op(Opcode.ADD),
                Assembly.Op(Opcode.CALL_FUNC_CONST, 1, 2),
                a.Load("l999"),
                Assembly.Op(Opcode.ADD),
            ],
            ["n", "s"],
            locals
        );
        ExecutionResult stressed = a.Run(Stressed);
        Assert.Equal(Observables.Of(a.Run()), Observables.Of(stressed));
        Assert.True(stressed.Heap.Collections > 500);
    }
}
