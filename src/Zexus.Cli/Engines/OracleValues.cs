using Zexus.Cli.Output;
using Zexus.Spec;

namespace Zexus.Cli.Engines;

/// <summary>The oracle's values, all of them known, as nodes.</summary>
internal static class OracleValues
{
    /// <summary>At most so many values; the rest is cut. Without recursion: lists can nest deeper than any native stack.</summary>
    public static Node ToNode(State state, Value root, int most = int.MaxValue)
    {
        Dictionary<int, Node> made = [];
        Queue<(Node Node, Cell Cell)> pending = [];
        int count = 0;

        Node Make(Value value)
        {
            if (++count > most)
            {
                return Node.Cut;
            }

            switch (((Value.Of)value).Item)
            {
                case Kind.Bool flag:
                    return Node.Of(((Bool.Known)flag.Item).Item);
                case Kind.Int integer:
                    return Node.Of(((Int.Known)integer.Item).Item);
                case Kind.Float number:
                    return Node.Of(((Float.Known)number.Item).Item);
                case Kind.String text:
                    return Node.Of(((Str.Known)text.Item).Item);
                case Kind.List list:
                    return Reference(list.Item);
                case Kind.Map map:
                    return Reference(map.Item);
                case Kind.Set set:
                    return Reference(set.Item);
                case Kind.Function function:
                    return Reference(function.Item);
                default:
                    return Node.Null;
            }
        }

        Node Reference(Address address)
        {
            if (made.TryGetValue(address.Item, out Node? known))
            {
                return known;
            }

            Cell cell = HeapModule.find(address, state.Heap);
            Node node = cell switch
            {
                Cell.Map => Node.Collection(NodeKind.Map),
                Cell.Set => Node.Collection(NodeKind.Set),
                Cell.Function function => Node.Function(state.Loaded.Program.Functions[function.index]),
                _ => Node.Collection(NodeKind.List),
            };
            made.Add(address.Item, node);
            pending.Enqueue((node, cell));
            return node;
        }

        Node result = Make(root);
        while (pending.TryDequeue(out (Node Node, Cell Cell) next))
        {
            next.Node.Items = [.. Contents(state, next.Cell, most - count).Select(Make)];
        }

        return result;
    }

    public static Node OfPlain(Plain plain)
    {
        switch (plain)
        {
            case Plain.Bool flag:
                return Node.Of(((Bool.Known)flag.Item).Item);
            case Plain.Int integer:
                return Node.Of(((Int.Known)integer.Item).Item);
            case Plain.Float number:
                return Node.Of(((Float.Known)number.Item).Item);
            case Plain.String text:
                return Node.Of(((Str.Known)text.Item).Item);
            case Plain.List list:
                return Collection(NodeKind.List, list.Item);
            case Plain.Set set:
                return Collection(NodeKind.Set, set.Item);
            case Plain.Map map:
                return Collection(NodeKind.Map, map.Item.SelectMany(e => new[] { e.Item1, e.Item2 }));
            default:
                return Node.Null;
        }
    }

    private static Node Collection(NodeKind kind, IEnumerable<Plain> items)
    {
        Node node = Node.Collection(kind);
        node.Items = [.. items.Select(OfPlain)];
        return node;
    }

    private static IEnumerable<Value> Contents(State state, Cell cell, int room)
    {
        IEnumerable<Value> all = cell switch
        {
            Cell.Function function => function.captures.Select(address =>
                ((Cell.Variable)HeapModule.find(address, state.Heap)).Item
            ),
            Cell.List list => list.Item,
            Cell.Map map => EntriesModule.toList(map.Item).SelectMany(e => new[] { e.Item1, e.Item2 }),
            Cell.Set set => EntriesModule.toList(set.Item).Select(e => e.Item1),
            _ => [],
        };

        // One more than there is room for becomes the cut; a Map keeps its pairs.
        return room > int.MaxValue - 2 ? all : all.Take(Math.Max(room, 0) / 2 * 2 + 2);
    }
}
