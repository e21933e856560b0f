namespace Zexus.Chain;

/// <summary>What a store refuses or cannot do: what, where, and what to do about it. Nothing acknowledged is lost by it.</summary>
public class StoreException : Exception
{
    /// <summary>Without a cause of its own.</summary>
    public StoreException(string message, string hint = "")
        : base(message)
    {
        Hint = hint;
    }

    /// <summary>Because of an error of the database or the system.</summary>
    public StoreException(string message, string hint, Exception cause)
        : base(message, cause)
    {
        Hint = hint;
    }

    /// <summary>What to do about it; "" when there is nothing to say.</summary>
    public string Hint { get; }
}

/// <summary>
/// A record is larger than <see cref="ExecutionRecord.MostBytes"/>, or those of a block than <see cref="ExecutionRecord.MostBytesTogether"/>. An execution
/// may come to that within its limits: a String that stands in many places is one in its memory, and is written out wherever it stands.
/// </summary>
public sealed class RecordTooLargeException(long most, string of)
    : StoreException(
        $"what is to be kept of {of} takes more than {most / (1024 * 1024)} MiB: arguments, value, writes, ledger, events and audit log, written out",
        "nothing of it was committed"
    );

/// <summary>An execution has a nonce that is not its caller's next one: it was executed before, or another is to come first.</summary>
public sealed class NonceException(string caller, long nonce, long next)
    : StoreException(
        nonce < next
            ? $"nonce {nonce} of caller \"{caller}\" has been used; the next is {next}"
            : $"nonce {nonce} of caller \"{caller}\" is not next; {next} is"
    );
