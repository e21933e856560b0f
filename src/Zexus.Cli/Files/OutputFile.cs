namespace Zexus.Cli.Files;

/// <summary>Writes a whole file or leaves the old one: a reader never sees half of it.</summary>
internal static class OutputFile
{
    public static void Write(string path, ReadOnlySpan<byte> bytes, Terminal terminal)
    {
        string shown = Terminal.Printable(path);
        if (path == InputFile.Standard)
        {
            terminal.Out.Flush();
            (terminal.Out as StreamWriter)?.BaseStream.Write(bytes);
            return;
        }

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
            // /dev/null, a pipe: nothing to replace.
            if (File.Exists(path) && !File.GetAttributes(path).HasFlag(FileAttributes.Normal) && IsDevice(path))
            {
                using FileStream device = new(path, FileMode.Open, FileAccess.Write);
                device.Write(bytes);
                return;
            }

            Replace(File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path, bytes);
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

    private static bool IsDevice(string path) => File.GetAttributes(path).HasFlag(FileAttributes.Device) || path.StartsWith("/dev/", StringComparison.Ordinal);

    private static void Replace(string path, ReadOnlySpan<byte> bytes)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        string draft = Path.Combine(folder, $".{Path.GetFileName(path)}.{Environment.ProcessId}.tmp");
        try
        {
            using (FileStream file = new(draft, FileMode.Create, FileAccess.Write, FileShare.None))
            {
                file.Write(bytes);
                file.Flush(flushToDisk: true);
            }

            if (!OperatingSystem.IsWindows() && File.Exists(path))
            {
                File.SetUnixFileMode(draft, File.GetUnixFileMode(path));
            }

            File.Move(draft, path, overwrite: true);
        }
        finally
        {
            File.Delete(draft);
        }
    }
}
