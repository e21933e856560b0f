namespace Zexus.Cli.Files;

/// <summary>A file that only its owner reads, and that is never written over another.</summary>
internal static class SecretFile
{
    public static void Create(string path, ReadOnlySpan<byte> bytes)
    {
        string shown = Terminal.Printable(path);
        if (path is "" or InputFile.Standard)
        {
            throw Problem.Usage("a private key needs a file of its own", "Name it with --out.");
        }

        FileStreamOptions options = new() { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        try
        {
            using FileStream file = new(path, options);
            file.Write(bytes);
            file.Flush(flushToDisk: true);
        }
        catch (DirectoryNotFoundException)
        {
            throw Problem.File($"'{shown}' cannot be written: there is no such folder");
        }
        catch (IOException) when (Path.Exists(path))
        {
            throw Problem.File($"'{shown}' is there already, and is not written over", "Name another file with --out.");
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
}
