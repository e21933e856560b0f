using System.Numerics;
using Xunit;
using Zexus.Isa;

namespace Zexus.Vm.Tests;

public unsafe class HeapTests
{
    private static Value Key(CellHeap heap, object value) => PlainData.ToValue(Assembly.ToData(value), heap);

    [Theory]
    [InlineData("a")]
    [InlineData("日")]
    [InlineData("😀")]
    public void Texts_are_equal_when_every_scalar_is(string scalar)
    {
        using CellHeap heap = new();
        for (int length = 0; length <= 40; length++)
        {
            string[] scalars = [.. Enumerable.Repeat(scalar, length)];
            StringCell* text = heap.NewString(string.Concat(scalars));
            Assert.True(Text.Equal(text, heap.NewString(string.Concat(scalars))));
            Assert.False(Text.Equal(text, heap.NewString(string.Concat(scalars) + scalar)));
            for (int at = 0; at < length; at++)
            {
                string[] other = [.. scalars];
                other[at] = "b";
                Assert.False(Text.Equal(text, heap.NewString(string.Concat(other))), $"{length}, {at}");
            }
        }
    }

    [Fact]
    public void Equal_keys_are_one_key()
    {
        using CellHeap heap = new();
        TableCell* map = heap.NewTable(CellKind.Map, 0);
        BigInteger big = BigInteger.Pow(2, 80);
        object[][] groups =
        [
            [1, 1.0, true],
            [0, 0.0, -0.0, false],
            [big, (double)big],
            [long.MaxValue],
            [9223372036854775808.0, (BigInteger)long.MaxValue + 1],
            [big + 1],
            [0.5],
            ["1"],
            ["é"],
            ["日本"],
            ["😀"],
            [double.PositiveInfinity],
        ];
        for (int g = 0; g < groups.Length; g++)
        {
            for (int i = 0; i < groups[g].Length; i++)
            {
                Assert.Equal(i == 0, heap.Put(map, Key(heap, groups[g][i]), Value.Of((long)g)));
            }
        }

        Assert.Equal(groups.Length, map->Count);
        for (int g = 0; g < groups.Length; g++)
        {
            foreach (object key in groups[g])
            {
                Value value = Key(heap, key);
                Assert.Equal(g, CellHeap.Find(map, &value));
            }
        }

        Value nothing = default;
        Assert.Equal(-1, CellHeap.Find(map, &nothing));
    }

    [Fact]
    public void A_string_is_found_again_where_it_was_until_the_entry_is_another_one()
    {
        using CellHeap heap = new();
        TableCell* map = heap.NewTable(CellKind.Map, 0);
        Value[] keys = new Value[20];
        for (int i = 0; i < keys.Length; i++)
        {
            keys[i] = Value.Of(heap.NewString("k" + i));
            heap.Put(map, keys[i], Value.Of((long)i));
        }

        Value twelve = keys[12];
        Assert.Equal(12, CellHeap.Find(map, &twelve));
        Assert.Equal(12, twelve.String->Entry);

        // An equal key is another cell: found, and nothing to remember.
        Value equal = Value.Of(heap.NewString("k12"));
        Assert.Equal(12, CellHeap.Find(map, &equal));
        Assert.Equal(0, equal.String->Entry);
        CellHeap.RemoveAt(map, 3);
        Assert.Equal(11, CellHeap.Find(map, &twelve));
        CellHeap.RemoveAt(map, 11);
        Assert.Equal(-1, CellHeap.Find(map, &twelve));

        // The last entry's memory still has its key.
        Value last = keys[19];
        Assert.Equal(17, CellHeap.Find(map, &last));
        CellHeap.RemoveAt(map, 17);
        Assert.Equal(-1, CellHeap.Find(map, &last));

        // An Int that looks like the cell.
        Value same = Value.Of((long)last.String);
        heap.Put(map, same, Value.True);
        Assert.Equal(-1, CellHeap.Find(map, &last));
    }

    [Fact]
    public void A_table_agrees_with_a_plain_model()
    {
        Random random = new(11);
        using CellHeap heap = new();
        for (int round = 0; round < 40; round++)
        {
            TableCell* map = heap.NewTable(CellKind.Map, random.Next(0, 5));
            List<(int Key, int Item)> model = [];
            int range = random.Next(1, 300);
            for (int step = 0; step < 800; step++)
            {
                int key = random.Next(range);
                Value keyValue = key % 2 == 0 ? Value.Of((long)key) : Key(heap, "k" + key);
                int at = model.FindIndex(pair => pair.Key == key);
                Assert.Equal(at, CellHeap.Find(map, &keyValue));
                if (random.Next(3) == 0)
                {
                    if (at >= 0)
                    {
                        CellHeap.RemoveAt(map, at);
                        model.RemoveAt(at);
                    }
                }
                else
                {
                    Assert.Equal(at < 0, heap.Put(map, keyValue, Value.Of((long)step)));
                    if (at >= 0)
                    {
                        model[at] = (key, step);
                    }
                    else
                    {
                        model.Add((key, step));
                    }
                }

                Assert.Equal(model.Count, map->Count);
            }

            for (int i = 0; i < model.Count; i++)
            {
                Assert.Equal(model[i].Item, map->At(i)->Item.Payload);
            }
        }
    }

    [Theory]
    [InlineData("", 0, 0)]
    [InlineData("abc", 3, 1)]
    [InlineData("naïve", 5, 1)]
    [InlineData("日本語", 3, 2)]
    [InlineData("a😀b", 3, 4)]
    public void Text_goes_in_and_out(string text, int length, int width)
    {
        using CellHeap heap = new();
        StringCell* cell = heap.NewString(text);
        Assert.Equal(length, cell->Length);
        Assert.Equal(text, Text.ToDotNet(cell));
        Assert.True(Text.Equal(cell, text));
        Assert.False(Text.Equal(cell, text + "x"));
        if (length > 0)
        {
            Assert.Equal(width, cell->Header.Width);
        }
    }

    [Fact]
    public void A_slice_takes_the_least_width()
    {
        using CellHeap heap = new();
        StringCell* text = heap.NewString("ab日😀");
        Assert.Equal(1, heap.Slice(text, 0, 2)->Header.Width);
        Assert.Equal(2, heap.Slice(text, 1, 2)->Header.Width);
        Assert.Equal(4, heap.Slice(text, 2, 2)->Header.Width);
        Assert.True(Text.Equal(heap.Slice(text, 0, 2), heap.NewString("ab")));
        Assert.Equal("日😀", Text.ToDotNet(heap.Slice(text, 2, 2)));
    }

    [Fact]
    public void Appending_never_changes_an_older_string()
    {
        using CellHeap heap = new();
        StringCell* text = heap.NewString(new string('a', 300));
        StringCell* first = heap.Concat(text, heap.NewString("b"));
        StringCell* left = heap.Concat(first, heap.NewString("left"));
        StringCell* right = heap.Concat(first, heap.NewString("right"));
        StringCell* wide = heap.Concat(left, heap.NewString("日"));
        Assert.Equal(new string('a', 300) + "b", Text.ToDotNet(first));
        Assert.Equal(new string('a', 300) + "bleft", Text.ToDotNet(left));
        Assert.Equal(new string('a', 300) + "bright", Text.ToDotNet(right));
        Assert.Equal(new string('a', 300) + "bleft日", Text.ToDotNet(wide));
        StringCell* grown = heap.NewString("");
        System.Text.StringBuilder model = new();
        for (int i = 0; i < 3000; i++)
        {
            string piece = ((char)('a' + (i % 26))).ToString();
            model.Append(piece);
            grown = heap.Concat(grown, heap.NewString(piece));
        }

        Assert.Equal(model.ToString(), Text.ToDotNet(grown));
    }

    [Fact]
    public void A_list_grows_and_keeps_its_items()
    {
        using CellHeap heap = new();
        ListCell* list = heap.NewList(0);
        for (int i = 0; i < 100_000; i++)
        {
            heap.Append(list, Value.Of((long)i));
        }

        for (int i = 0; i < 100_000; i++)
        {
            Assert.Equal(i, list->Get(i).Payload);
        }
    }

    [Fact]
    public void Tracing_reaches_everything_through_cycles()
    {
        using CellHeap heap = new();
        ListCell* list = heap.NewList(0);
        TableCell* map = heap.NewTable(CellKind.Map, 0);
        heap.Append(list, new Value(Tag.Map, (long)map));
        heap.Put(map, Value.Of(heap.NewString("self")), Value.Of(list));
        FunctionCell* function = heap.NewFunction(0, 1);
        FunctionCell.Captured(function)[0] = heap.NewVariable(Value.Of(list));
        Stack<nint> roots = new();
        Tracing.Push(Value.Of(function), roots);
        HashSet<nint> live = Tracing.Reach(roots);

        // Function, variable, list, its items, map, its entries, the key.
        Assert.Equal(7, live.Count);
    }

    [Fact]
    public void Memory_is_used_again_after_a_reset()
    {
        using CellHeap heap = new();
        long before = 0;
        for (int round = 0; round < 5; round++)
        {
            for (int i = 0; i < 10_000; i++)
            {
                heap.NewList(3);
            }

            before = round == 0 ? heap.Bytes : before;
            Assert.Equal(before, heap.Bytes);
            heap.Reset();
        }
    }

    [Fact]
    public void Copies_of_constants_are_trees_of_their_own()
    {
        using CellHeap heap = new();
        Data data = Assembly.ToData(
            new object?[]
            {
                1,
                new object?[] { "a" },
                new Dictionary<object, object?> { ["k"] = 2.5 },
            }
        );
        Value template = PlainData.ToValue(data, heap);
        Value copy = PlainData.Copy(template, heap);
        heap.Append(copy.List->Get(1).List, Value.Of(3L));
        Assert.Equal(1, template.List->Get(1).List->Count);
        Assert.Equal(6, DataVisitor.Elements(data));
    }
}
