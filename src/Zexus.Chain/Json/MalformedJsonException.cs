namespace Zexus.Chain;

/// <summary>Text that is not JSON, or JSON that is not what it should be. The message says what, and where in the data.</summary>
public sealed class MalformedJsonException : FormatException
{
    internal MalformedJsonException(string message)
        : base(message) { }

    internal MalformedJsonException(string message, long line, long column)
        : base(message)
    {
        Line = line;
        Column = column;
    }

    /// <summary>There is nothing but white space.</summary>
    public bool IsEmpty { get; internal init; }

    /// <summary>From 1; null when the text is JSON, or empty.</summary>
    public long? Line { get; }

    /// <summary>In bytes, from 1; null when the text is JSON, or empty.</summary>
    public long? Column { get; }
}
