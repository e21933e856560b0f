namespace Zexus.Cli.Files;

/// <summary>Reads a file, or standard input for `-`, line by line; whatever goes wrong is a <see cref="Problem"/>.</summary>
internal static class LineFile
{
    /// <summary>What is done with a line: its bytes without its end, LF or CR LF, and its number from 1.</summary>
    public delegate void Take(ReadOnlySpan<byte> line, long number);

    private const int Block = 256 * 1024;

    /// <summary>After the last line end there is no further line.</summary>
    /// <param name="path">A file, or `-`.</param>
    /// <param name="longest">Bytes of the longest line.</param>
    /// <param name="terminal">Whose standard input `-` is, and whose cancellation is heeded.</param>
    /// <param name="take">Called for each line.</param>
    public static void Read(string path, int longest, Terminal terminal, Take take) =>
        Use(
            path,
            longest,
            terminal,
            lines =>
            {
                long number = 0;
                foreach (ReadOnlyMemory<byte> line in lines)
                {
                    take(line.Span, ++number);
                }
            }
        );

    /// <summary>As <see cref="Read"/>, for who fetches the lines: once, and each is there until the next.</summary>
    public static void Use(
        string path,
        int longest,
        Terminal terminal,
        Action<IEnumerable<ReadOnlyMemory<byte>>> use
    ) => InputFile.Use(path, terminal, stream => use(Lines(stream, InputFile.Shown(path), longest, terminal)));

    private static IEnumerable<ReadOnlyMemory<byte>> Lines(Stream stream, string shown, int longest, Terminal terminal)
    {
        byte[] buffer = new byte[Block];
        int held = 0;
        long number = 0;
        while (true)
        {
            terminal.Cancellation.ThrowIfCancellationRequested();
            if (held == buffer.Length)
            {
                Array.Resize(ref buffer, (int)Math.Min(2L * buffer.Length, Array.MaxLength));
            }

            int count = stream.Read(buffer, held, buffer.Length - held);
            if (count == 0)
            {
                if (held > 0)
                {
                    yield return buffer.AsMemory(0, held);
                }

                yield break;
            }

            // What was held has no line end.
            ReadOnlyMemory<byte> rest = buffer.AsMemory(0, held + count);
            int end = rest.Span[held..].IndexOf((byte)'\n') is var found and >= 0 ? held + found : -1;
            while (end >= 0)
            {
                number++;
                yield return rest[..(end > 0 && rest.Span[end - 1] == '\r' ? end - 1 : end)];
                rest = rest[(end + 1)..];
                end = rest.Span.IndexOf((byte)'\n');
            }

            held = rest.Length;
            if (held > longest)
            {
                throw Problem.File($"{shown}:{number + 1}: the line is longer than {longest:N0} bytes");
            }

            rest.CopyTo(buffer);
        }
    }
}
