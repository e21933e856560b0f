using System.Numerics;
using Zexus.Isa;

namespace Zexus.Cli.Output;

internal enum NodeKind
{
    Null,
    Bool,
    Int,
    Float,
    String,
    List,
    Map,
    Set,
    Function,

    /// <summary>What a reader was not to be shown: the rest of something long.</summary>
    Cut,
}

/// <summary>
/// A value as the command line shows it, whichever engine made it. A collection or Function that is the same thing twice is
/// the same node twice, so that sharing and cycles can be seen.
/// </summary>
internal sealed class Node
{
    public static readonly Node Null = new(NodeKind.Null);
    public static readonly Node Cut = new(NodeKind.Cut);

    private Node(NodeKind kind) => Kind = kind;

    public NodeKind Kind { get; }

    public bool Bool { get; private init; }

    public BigInteger Int { get; private init; }

    public double Float { get; private init; }

    /// <summary>A String's text, a Function's name.</summary>
    public string Text { get; private init; } = "";

    /// <summary>Elements of a List or Set; keys and values of a Map, in turn; what a Function's captured variables hold.</summary>
    public Node[] Items { get; set; } = [];

    /// <summary>Of a Function: the names of its captured variables.</summary>
    public string[] Captures { get; private init; } = [];

    public bool IsReference => Kind is NodeKind.List or NodeKind.Map or NodeKind.Set or NodeKind.Function;

    public static Node Of(bool value) => new(NodeKind.Bool) { Bool = value };

    public static Node Of(BigInteger value) => new(NodeKind.Int) { Int = value };

    public static Node Of(double value) => new(NodeKind.Float) { Float = value };

    public static Node Of(string value) => new(NodeKind.String) { Text = value };

    /// <summary>A Function whose captured variables are still to come.</summary>
    public static Node Function(FunctionDefinition definition) =>
        new(NodeKind.Function) { Text = definition.Name, Captures = definition.Captures };

    /// <summary>A collection whose items are still to come.</summary>
    public static Node Collection(NodeKind kind) => new(kind);

    /// <summary>Plain data is a tree and not deep: limits see to it.</summary>
    public static Node Of(Data data) =>
        data switch
        {
            Data.Bool flag => Of(flag.value),
            Data.Int integer => Of(integer.value),
            Data.Float number => Of(number.value),
            Data.String text => Of(text.value),
            Data.List list => new(NodeKind.List) { Items = Array.ConvertAll(list.items, Of) },
            Data.Set set => new(NodeKind.Set) { Items = Array.ConvertAll(set.items, Of) },
            Data.Map map => new(NodeKind.Map)
            {
                Items = [.. map.entries.SelectMany(e => new[] { Of(e.Key), Of(e.Value) })],
            },
            _ => Null,
        };
}
