namespace Zexus.Cli.Files;

/// <summary>Writes a whole file or leaves the old one: a reader never sees half of it.</summary>
internal static class OutputFile
{
    public static void Write(string path, ReadOnlySpan<byte> bytes, Terminal terminal)
    {
        if (path == InputFile.Standard)
        {
            terminal.Out.Flush();
            (terminal.Out as StreamWriter)?.BaseStream.Write(bytes);
            return;
        }

        // A span is in no closure.
        byte[] kept = bytes.ToArray();
        Write(path, stream => stream.Write(kept));
    }

    /// <summary>The same of what is written bit by bit, however much it is; no standard output.</summary>
    public static void Write(string path, Action<Stream> write)
    {
        string shown = Terminal.Printable(path);
        if (path == "")
        {
            throw Problem.Usage("the output's file name is empty");
        }

        if (Directory.Exists(path))
        {
            throw Problem.File($"'{shown}' is a directory; the output needs a file name");
        }

        try
        {
            FileInfo file = new(path);
            if (file.LinkTarget is not null)
            {
                file = (FileInfo)file.ResolveLinkTarget(returnFinalTarget: true)!;
            }

            if (file.Exists && !IsRegular(file))
            {
                // A pipe or a device cannot be replaced, only written to.
                using FileStream device = new(file.FullName, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, 0);
                write(device);
                return;
            }

            Replace(file, write);
        }
        catch (DirectoryNotFoundException)
        {
            throw Problem.File($"'{shown}' cannot be written: there is no such folder");
        }
        catch (UnauthorizedAccessException)
        {
            throw Problem.File($"'{shown}' cannot be written: permission denied");
        }
        catch (Exception e) when (e is IOException or ArgumentException or NotSupportedException)
        {
            throw Problem.File($"'{shown}' cannot be written: {Terminal.Printable(e.Message)}");
        }
    }

    private static bool IsRegular(FileInfo file)
    {
        if (
            file.FullName.StartsWith("/dev/", StringComparison.Ordinal)
            || file.FullName.StartsWith("/proc/", StringComparison.Ordinal)
        )
        {
            return false;
        }

        using FileStream stream = new(file.FullName, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, 0);
        return stream.CanSeek;
    }

    private static void Replace(FileInfo file, Action<Stream> write)
    {
        if (!file.Directory!.Exists)
        {
            throw new DirectoryNotFoundException();
        }

        string draft = Path.Combine(file.DirectoryName!, $".{file.Name}.{Environment.ProcessId}.tmp");
        try
        {
            using (FileStream stream = new(draft, FileMode.Create, FileAccess.Write, FileShare.None))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            if (!OperatingSystem.IsWindows() && file.Exists)
            {
                File.SetUnixFileMode(draft, file.UnixFileMode);
            }

            File.Move(draft, file.FullName, overwrite: true);
        }
        finally
        {
            File.Delete(draft);
        }
    }
}
