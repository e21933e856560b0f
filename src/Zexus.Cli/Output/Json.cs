using System.Globalization;
using System.Numerics;
using System.Text;
using Zexus.Chain;

namespace Zexus.Cli.Output;

/// <summary>
/// Values as JSON: docs/json.md has the mapping. Plain JSON where that says all, `{"$…": …}` where it does not. No recursion:
/// a program can nest lists deeper than any native stack.
/// </summary>
internal static class Json
{
    public static string Of(Node node)
    {
        StringBuilder text = new();
        Append(text, node);
        return text.ToString();
    }

    public static string Of(string value) => JsonText.Quoted(value);

    public static string Of(bool value) => value ? "true" : "false";

    public static string Of(BigInteger value) => value.ToString(CultureInfo.InvariantCulture);

    public static string Array(IEnumerable<string> items) => "[" + string.Join(", ", items) + "]";

    /// <summary>On one line.</summary>
    public static string Object(params IEnumerable<(string Name, string Value)> fields) =>
        "{" + string.Join(", ", fields.Select(f => Of(f.Name) + ": " + f.Value)) + "}";

    /// <summary>A field a line.</summary>
    public static string Document(params IEnumerable<(string Name, string Value)> fields) =>
        "{\n" + string.Join(",\n", fields.Select(f => "  " + Of(f.Name) + ": " + f.Value)) + "\n}";

    public static void Append(StringBuilder text, Node root)
    {
        Dictionary<Node, int> shared = Shared(root);
        HashSet<Node> written = [];
        Stack<object> pending = new();
        pending.Push(root);
        while (pending.TryPop(out object? next))
        {
            if (next is string piece)
            {
                text.Append(piece);
                continue;
            }

            Node node = (Node)next;
            if (!node.IsReference)
            {
                AppendScalar(text, node);
            }
            else if (!shared.TryGetValue(node, out int id))
            {
                Open(text, node, pending);
            }
            else if (written.Add(node))
            {
                text.Append("{\"$id\": ").Append(id).Append(", ");
                OpenTagged(text, node, pending);
            }
            else
            {
                text.Append("{\"$ref\": ").Append(id).Append('}');
            }
        }
    }

    /// <summary>Those that are reached more than once, numbered from 1 in the order in which they are written.</summary>
    private static Dictionary<Node, int> Shared(Node root)
    {
        HashSet<Node> seen = [];
        HashSet<Node> again = [];
        List<Node> inOrder = [];
        Stack<Node> pending = new([root]);
        while (pending.TryPop(out Node? node))
        {
            if (!node.IsReference)
            {
                continue;
            }

            if (!seen.Add(node))
            {
                again.Add(node);
                continue;
            }

            inOrder.Add(node);
            for (int i = node.Items.Length - 1; i >= 0; i--)
            {
                pending.Push(node.Items[i]);
            }
        }

        Dictionary<Node, int> numbers = [];
        foreach (Node node in inOrder)
        {
            if (again.Contains(node))
            {
                numbers.Add(node, numbers.Count + 1);
            }
        }

        return numbers;
    }

    private static void AppendScalar(StringBuilder text, Node node)
    {
        switch (node.Kind)
        {
            case NodeKind.Bool:
                text.Append(Of(node.Bool));
                break;
            case NodeKind.Int:
                JsonText.Append(text, node.Int);
                break;
            case NodeKind.Float:
                JsonText.Append(text, node.Float);
                break;
            case NodeKind.String:
                JsonText.Append(text, node.Text);
                break;
            default:
                text.Append("null");
                break;
        }
    }

    private static void Open(StringBuilder text, Node node, Stack<object> pending)
    {
        if (node.Kind == NodeKind.List)
        {
            OpenItems(text, node, pending, "]");
        }
        else if (node.Kind == NodeKind.Map && HasPlainKeys(node))
        {
            text.Append('{');
            pending.Push("}");
            for (int i = node.Items.Length - 2; i >= 0; i -= 2)
            {
                pending.Push(node.Items[i + 1]);
                pending.Push((i > 0 ? ", " : "") + Of(node.Items[i].Text) + ": ");
            }
        }
        else
        {
            text.Append('{');
            OpenTagged(text, node, pending);
        }
    }

    private static void OpenTagged(StringBuilder text, Node node, Stack<object> pending)
    {
        switch (node.Kind)
        {
            case NodeKind.Function:
                text.Append("\"$function\": ");
                JsonText.Append(text, node.Text);
                if (node.Items.Length == 0)
                {
                    text.Append('}');
                    break;
                }

                text.Append(", \"$captures\": {");
                pending.Push("}}");
                for (int i = node.Items.Length - 1; i >= 0; i--)
                {
                    pending.Push(node.Items[i]);
                    pending.Push((i > 0 ? ", " : "") + Of(node.Captures[i]) + ": ");
                }

                break;
            case NodeKind.Map:
                text.Append("\"$map\": [");
                pending.Push("]}");
                for (int i = node.Items.Length - 2; i >= 0; i -= 2)
                {
                    pending.Push("]");
                    pending.Push(node.Items[i + 1]);
                    pending.Push(", ");
                    pending.Push(node.Items[i]);
                    pending.Push(i > 0 ? ", [" : "[");
                }

                break;
            default:
                text.Append(node.Kind == NodeKind.Set ? "\"$set\": " : "\"$list\": ");
                OpenItems(text, node, pending, "]}");
                break;
        }
    }

    private static void OpenItems(StringBuilder text, Node node, Stack<object> pending, string closing)
    {
        text.Append('[');
        pending.Push(closing);
        for (int i = node.Items.Length - 1; i >= 0; i--)
        {
            pending.Push(node.Items[i]);
            if (i > 0)
            {
                pending.Push(", ");
            }
        }
    }

    /// <summary>A key that begins with $ would look like a tag.</summary>
    private static bool HasPlainKeys(Node map)
    {
        for (int i = 0; i < map.Items.Length; i += 2)
        {
            if (map.Items[i].Kind != NodeKind.String || map.Items[i].Text.StartsWith('$'))
            {
                return false;
            }
        }

        return true;
    }
}
