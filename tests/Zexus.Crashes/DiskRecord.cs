using System.Globalization;
using System.Text;

namespace Zexus.Crashes;

/// <summary>Something that a process did to a file of a folder, or said on its standard output.</summary>
internal abstract record DiskEvent
{
    private DiskEvent() { }

    /// <summary>A path below the folder; the folder itself is "".</summary>
    public string Path { get; private init; } = "";

    public sealed record Created : DiskEvent
    {
        public Created(string path) => Path = path;
    }

    public sealed record Written : DiskEvent
    {
        public Written(string path, long offset, byte[] bytes)
        {
            Path = path;
            Offset = offset;
            Bytes = bytes;
        }

        public long Offset { get; }

        public byte[] Bytes { get; }
    }

    public sealed record Truncated : DiskEvent
    {
        public Truncated(string path, long length)
        {
            Path = path;
            Length = length;
        }

        public long Length { get; }
    }

    /// <summary>What was done to this file before is on the disk; of a folder, which files it has.</summary>
    public sealed record Synced : DiskEvent
    {
        public Synced(string path) => Path = path;
    }

    public sealed record Removed : DiskEvent
    {
        public Removed(string path) => Path = path;
    }

    /// <summary>A line on standard output.</summary>
    public sealed record Said(string Line) : DiskEvent;
}

/// <summary>
/// What a process did, in order, as strace recorded it with <c>-f -y -xx -s</c> and <see cref="Calls"/>. A call that another thread's
/// interrupts in the record counts where it returns.
/// </summary>
internal static class DiskRecord
{
    public const string Calls =
        "openat,creat,write,pwrite64,writev,pwritev,pwritev2,lseek,ftruncate,truncate,fallocate,fsync,fdatasync,sync_file_range,msync,"
        + "unlink,unlinkat,rename,renameat,renameat2,link,linkat,sendfile,copy_file_range";

    /// <exception cref="InvalidDataException">It has a call that changes the folder in a way not understood here.</exception>
    public static List<DiskEvent> Read(string record, string folder)
    {
        List<DiskEvent> events = [];
        Dictionary<string, string> unfinished = [];
        Dictionary<string, long> positions = [];
        StringBuilder said = new();
        HashSet<string> known = [];
        foreach (string line in File.ReadLines(record))
        {
            int space = line.IndexOf(' ', StringComparison.Ordinal);
            string thread = line[..space];
            string call = line[space..].TrimStart();
            if (call.EndsWith("<unfinished ...>", StringComparison.Ordinal))
            {
                unfinished[thread] = call[..^"<unfinished ...>".Length];
                continue;
            }

            if (call.StartsWith("<... ", StringComparison.Ordinal))
            {
                if (!unfinished.Remove(thread, out string? begun))
                {
                    throw new InvalidDataException($"the record goes on with a call that did not begin: {Shown(line)}");
                }

                call = begun + call[(call.IndexOf('>', StringComparison.Ordinal) + 1)..];
            }

            int open = call.IndexOf('(', StringComparison.Ordinal);
            int equals = call.LastIndexOf(") ", StringComparison.Ordinal);
            if (open < 0 || equals < open || !char.IsAsciiLetterLower(call[0]))
            {
                continue; // a signal, or an exit
            }

            Interpret(
                call[..open],
                call[(open + 1)..equals].Split(", "),
                call[(call.IndexOf('=', equals) + 1)..].Trim()
            );
        }

        return events;

        void Interpret(string name, string[] arguments, string result)
        {
            if (result.StartsWith('-') || result.StartsWith('?'))
            {
                return;
            }

            switch (name)
            {
                case "openat" when Below(PathOf(result)) is { } path:
                    positions.Remove(result);
                    if (arguments[2].Contains("O_TRUNC", StringComparison.Ordinal))
                    {
                        events.Add(new DiskEvent.Truncated(path, 0));
                    }

                    if (
                        path.Length > 0
                        && known.Add(path)
                        && arguments[2].Contains("O_CREAT", StringComparison.Ordinal)
                    )
                    {
                        events.Add(new DiskEvent.Created(path));
                    }

                    break;
                case "write" when arguments[0].StartsWith("1<", StringComparison.Ordinal):
                    Say(Bytes(arguments[1]));
                    break;
                case "write" when Below(PathOf(arguments[0])) is { } path:
                {
                    byte[] bytes = Bytes(arguments[1])[..int.Parse(result, CultureInfo.InvariantCulture)];
                    long at = positions.GetValueOrDefault(arguments[0]);
                    positions[arguments[0]] = at + bytes.Length;
                    events.Add(new DiskEvent.Written(path, at, bytes));
                    break;
                }

                case "pwrite64" when Below(PathOf(arguments[0])) is { } path:
                    events.Add(
                        new DiskEvent.Written(
                            path,
                            Number(arguments[3]),
                            Bytes(arguments[1])[..int.Parse(result, CultureInfo.InvariantCulture)]
                        )
                    );
                    break;
                case "lseek" when Below(PathOf(arguments[0])) is not null:
                    positions[arguments[0]] = Number(result);
                    break;
                case "ftruncate" when Below(PathOf(arguments[0])) is { } path:
                    events.Add(new DiskEvent.Truncated(path, Number(arguments[1])));
                    break;
                case "fsync" or "fdatasync" when Below(PathOf(arguments[0])) is { } path:
                    events.Add(new DiskEvent.Synced(path));
                    break;
                case "unlink" when Below(Text(arguments[0])) is { } path:
                    known.Remove(path);
                    events.Add(new DiskEvent.Removed(path));
                    break;
                case "openat" or "write" or "pwrite64" or "lseek" or "ftruncate" or "fsync" or "fdatasync" or "unlink":
                    break;
                default:
                    if (
                        arguments.Any(a =>
                            Below(PathOf(a)) is not null || (a.StartsWith('"') && Below(Text(a)) is not null)
                        )
                    )
                    {
                        throw new InvalidDataException($"the record has a {name} that is not understood");
                    }

                    break;
            }
        }

        void Say(byte[] bytes)
        {
            foreach (char c in Encoding.UTF8.GetString(bytes))
            {
                if (c == '\n')
                {
                    events.Add(new DiskEvent.Said(said.ToString()));
                    said.Clear();
                }
                else
                {
                    said.Append(c);
                }
            }
        }

        string? Below(string path) =>
            path == folder ? ""
            : path.StartsWith(folder + "/", StringComparison.Ordinal) ? path[(folder.Length + 1)..]
            : null;
    }

    /// <summary>Of <c>12&lt;\x2f…&gt;</c>.</summary>
    private static string PathOf(string descriptor)
    {
        int open = descriptor.IndexOf('<', StringComparison.Ordinal);
        int close = descriptor.LastIndexOf('>');
        return open < 0 || close < open ? "" : Encoding.UTF8.GetString(Unescaped(descriptor[(open + 1)..close]));
    }

    private static string Text(string argument) => Encoding.UTF8.GetString(Bytes(argument));

    private static byte[] Bytes(string argument)
    {
        if (!argument.StartsWith('"') || !argument.EndsWith('"'))
        {
            throw new InvalidDataException($"the record has cut off bytes: {Shown(argument)}");
        }

        return Unescaped(argument[1..^1]);
    }

    /// <summary>Pairs of digits behind \x; anything else stands for itself.</summary>
    private static byte[] Unescaped(string text)
    {
        if (text.Length % 4 == 0 && (text.Length == 0 || text[0] == '\\'))
        {
            byte[] bytes = new byte[text.Length / 4];
            for (int i = 0; i < bytes.Length; i++)
            {
                bytes[i] = (byte)((HexDigit(text[(4 * i) + 2]) << 4) | HexDigit(text[(4 * i) + 3]));
            }

            return bytes;
        }

        return Encoding.UTF8.GetBytes(text);
    }

    private static int HexDigit(char c) => c <= '9' ? c - '0' : c - 'a' + 10;

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    private static string Shown(string text) => text.Length > 100 ? text[..100] + "…" : text;
}
