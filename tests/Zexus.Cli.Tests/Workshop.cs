using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Zexus.Cli.Tests;

/// <summary>What a command came to.</summary>
public sealed record Outcome(int Code, string Out, string Error)
{
    public JsonElement Json => JsonDocument.Parse(Out).RootElement;
}

/// <summary>A folder of its own to run commands in, and the ways to run them.</summary>
public sealed class Workshop : IDisposable
{
    public const string Sum = """
        ; The sum of the numbers from 1 to 10.
        .func main() locals i, total
            STORE_CONST i, 10
            STORE_CONST total, 0
        loop:
            LOAD_NAME i
            JUMP_IF_FALSE done
            LOAD_NAME total
            LOAD_NAME i
            ADD
            STORE_NAME total
            LOAD_NAME i
            DEC
            STORE_NAME i
            JUMP loop
        done:
            LOAD_NAME total
            PRINT
            LOAD_NAME total
            RETURN
        .end
        """;

    public const string Division = """
        .func main()
            LOAD_CONST 1
            LOAD_CONST 0
            DIV
            RETURN
        .end
        """;

    public const string Endless = """
        .func main()
        again:
            JUMP again
        .end
        """;

    public Workshop()
    {
        Folder = Directory.CreateTempSubdirectory("zexus-tests-").FullName;
    }

    public string Folder { get; }

    public static string Repository
    {
        get
        {
            string folder = AppContext.BaseDirectory;
            while (!File.Exists(System.IO.Path.Combine(folder, "Zexus.Spec.sln")))
            {
                folder = System.IO.Path.GetDirectoryName(folder)!;
            }

            return folder;
        }
    }

    public static IEnumerable<string> Examples =>
        Directory.EnumerateFiles(System.IO.Path.Combine(Repository, "examples"), "*.zxa").Order(StringComparer.Ordinal);

    public string Path(string name) => System.IO.Path.Combine(Folder, name);

    public string Write(string name, string text)
    {
        File.WriteAllText(Path(name), text);
        return Path(name);
    }

    /// <summary>In this process.</summary>
    public static Outcome Run(params string[] arguments) => RunWith("", arguments);

    /// <summary>In this process, with something on standard input.</summary>
    public static Outcome RunWith(string input, params string[] arguments)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        using MemoryStream stream = new(Encoding.UTF8.GetBytes(input));
        int code = CommandLine.Run(arguments, new Terminal(output, error, stream));
        return new Outcome(code, output.ToString(), error.ToString());
    }

    /// <summary>As a process of its own.</summary>
    public static Process Start(params string[] arguments) => Start([], arguments);

    /// <summary>The same in a changed environment.</summary>
    public static Process Start(Dictionary<string, string?> environment, params string[] arguments)
    {
        string program = System.IO.Path.Combine(AppContext.BaseDirectory, "zexus.dll");
        ProcessStartInfo start = new("dotnet", [program, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            StandardOutputEncoding = new UTF8Encoding(false),
        };
        foreach ((string name, string? value) in environment)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    public static Outcome Finish(Process process)
    {
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new Outcome(process.ExitCode, output, error.Result);
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
