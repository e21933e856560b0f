using Zexus.Chain;

namespace Zexus.Cli.Files;

/// <summary>Reads a file of JSON; whatever is wrong with it is a <see cref="Problem"/> that names the file and the place.</summary>
internal static class JsonFile
{
    /// <param name="path">A file, or `-`.</param>
    /// <param name="terminal">Whose standard input `-` is.</param>
    /// <param name="parse">Throws <see cref="MalformedJsonException"/>.</param>
    /// <param name="ifEmpty">What an empty file should have been.</param>
    public static T Read<T>(string path, Terminal terminal, Func<byte[], T> parse, string ifEmpty)
    {
        byte[] bytes = InputFile.Read(path, terminal);
        string name = InputFile.Shown(path);
        try
        {
            return parse(bytes);
        }
        catch (MalformedJsonException e)
        {
            string place = e.Line is long line ? $"{name}:{line}:{e.Column}" : name;
            string remedy = e.IsEmpty ? "; " + ifEmpty : "";
            throw Problem.File($"{place}: {Terminal.Printable(e.Message)}{remedy}");
        }
    }
}
