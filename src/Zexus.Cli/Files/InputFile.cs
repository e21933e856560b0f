namespace Zexus.Cli.Files;

/// <summary>Reads a whole file, or standard input for `-`; whatever goes wrong is a <see cref="Problem"/>.</summary>
internal static class InputFile
{
    public const string Standard = "-";

    /// <summary>Far above any program or state, far below what memory holds.</summary>
    private const int LargestSize = 256 * 1024 * 1024;

    /// <summary>What messages call it.</summary>
    public static string Shown(string path) => path == Standard ? "<stdin>" : Terminal.Printable(path);

    public static byte[] Read(string path, Terminal terminal)
    {
        byte[] bytes = [];
        Use(path, terminal, stream => bytes = ReadAll(stream, Shown(path), terminal.Cancellation));
        return bytes;
    }

    /// <summary>Opens it for something that reads it, whose own problems are not touched.</summary>
    public static void Use(string path, Terminal terminal, Action<Stream> use)
    {
        string shown = Shown(path);
        if (path == Standard)
        {
            if (terminal.InIsTerminal)
            {
                terminal.Error.WriteLine("reading standard input; Ctrl-D ends it");
            }

            use(terminal.In);
            return;
        }

        if (path == "")
        {
            throw Problem.Usage("the file name is empty");
        }

        if (Directory.Exists(path))
        {
            throw Problem.File($"'{shown}' is a directory, not a file");
        }

        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 1);
            use(file);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            string[] others = [path + ".zxa", path + ".zxb"];
            string near = others.FirstOrDefault(File.Exists, "");
            throw Problem.File($"there is no file '{shown}'", near == "" ? "" : $"Did you mean '{near}'?");
        }
        catch (UnauthorizedAccessException)
        {
            throw Problem.File($"'{shown}' cannot be read: permission denied");
        }
        catch (Exception e) when (e is IOException or ArgumentException or NotSupportedException)
        {
            throw Problem.File($"'{shown}' cannot be read: {Terminal.Printable(e.Message)}");
        }
    }

    private static byte[] ReadAll(Stream stream, string shown, CancellationToken cancellation)
    {
        long expected = stream.CanSeek ? stream.Length : 0;
        if (expected > LargestSize)
        {
            throw TooLarge(shown);
        }

        using MemoryStream bytes = new((int)expected);
        byte[] block = new byte[64 * 1024];
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = stream.Read(block);
            if (count == 0)
            {
                return bytes.ToArray();
            }

            bytes.Write(block, 0, count);
            if (bytes.Length > LargestSize)
            {
                throw TooLarge(shown);
            }
        }
    }

    private static Problem TooLarge(string shown) =>
        Problem.File($"'{shown}' is larger than {LargestSize / 1024 / 1024} MiB, the most that zexus reads");
}
