using System.Text;
using System.Text.Json;
using Zexus.Isa;

namespace Zexus.Chain;

/// <summary>From bytes to a document.</summary>
internal static class JsonInput
{
    /// <summary>Throws <see cref="MalformedJsonException"/> for what is not JSON.</summary>
    public static JsonDocument Parse(ReadOnlyMemory<byte> json, Limits limits)
    {
        ReadOnlyMemory<byte> text = json.Span.StartsWith(Encoding.UTF8.Preamble) ? json[3..] : json;
        if (text.Span.Trim(" \t\r\n"u8).IsEmpty)
        {
            throw new MalformedJsonException("the file is empty") { IsEmpty = true };
        }

        // Deep enough for the deepest data, each collection tagged, inside a document.
        JsonDocumentOptions options = new() { MaxDepth = (limits.Nesting * 3) + 8 };
        try
        {
            return JsonDocument.Parse(text, options);
        }
        catch (JsonException e)
        {
            string message =
                "this is not JSON: " + e.Message.Split(" LineNumber:")[0].Split(" Path:")[0].TrimEnd('.', ' ');
            throw e.LineNumber is long line
                ? new MalformedJsonException(message, line + 1, (e.BytePositionInLine ?? 0) + 1)
                : new MalformedJsonException(message);
        }
    }
}
