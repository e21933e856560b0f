using System.Diagnostics;
using System.Runtime.Versioning;
using Xunit;

namespace Zexus.Cli.Tests;

/// <summary>When `./zexus` builds: in a small copy of the repository's folders, with a `dotnet` that writes down what it is asked for.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class LauncherTests : IDisposable
{
    private const string Dotnet = """
        #!/bin/sh
        case $1 in
            publish)
                while [ "$1" != -o ]; do shift; done
                mkdir -p "$2"
                echo built >"$2/zexus.dll"
                echo built >"$2/other.dll"
                echo >>"$BUILDS"
                ;;
            --version) ;;
            *)
                shift
                echo "ran $*"
                ;;
        esac
        """;

    private readonly Workshop _workshop = new();

    public LauncherTests()
    {
        foreach (string file in (string[])["zexus", "scripts/common.sh", "global.json"])
        {
            Write(file, File.ReadAllText(Path.Combine(Workshop.Repository, file)));
        }

        foreach (
            string file in (string[])
                [
                    "spec/Zexus.Spec/Rule.fs",
                    "src/Zexus.Cli/Start.cs",
                    "src/Zexus.Cli/Zexus.Cli.csproj",
                    "proofs/Proof.fs",
                    "tests/Zexus.Differential/Case.fs",
                    "examples/contracts/token.zxa",
                    "Directory.Build.props",
                    "paket.lock",
                    "paket.dependencies",
                    ".paket/Paket.Restore.targets",
                    ".config/dotnet-tools.json",
                ]
        )
        {
            Write(file, "first");
        }

        Write("tools/dotnet", Dotnet);
        MakeExecutable("zexus");
        MakeExecutable("tools/dotnet");
    }

    public void Dispose() => _workshop.Dispose();

    [Fact]
    public void It_builds_when_something_has_changed_and_not_otherwise()
    {
        Expect(builds: 1, "at first");
        Expect(builds: 0, "after a build");
        Expect(builds: 0, "after a look");
        Expect(builds: 0, "with a new file among what is built", () => Write("src/Zexus.Cli/obj/new.cs", "x"));
        Expect(builds: 1, "with another text", () => Write("spec/Zexus.Spec/Rule.fs", "other"));
        Expect(
            builds: 1,
            "with a text that says it is old",
            () =>
            {
                Write("src/Zexus.Cli/Start.cs", "older than the build");
                File.SetLastWriteTimeUtc(At("src/Zexus.Cli/Start.cs"), DateTime.UtcNow.AddYears(-1));
            }
        );
        Expect(builds: 1, "with a new file", () => Write("src/Zexus.New/New.cs", "new"));
        Expect(builds: 1, "with another name", () => File.Move(At("src/Zexus.New/New.cs"), At("src/Zexus.New/Old.cs")));
        Expect(builds: 1, "with a file less", () => File.Delete(At("src/Zexus.New/Old.cs")));
        Expect(builds: 1, "with another contract to embed", () => Write("examples/contracts/token.zxa", "other"));
        Expect(builds: 1, "with other packages", () => Write("paket.lock", "other"));
        Expect(builds: 1, "with a changed assembly", () => Write("artifacts/zexus/program/other.dll", "changed"));
        Expect(builds: 1, "with an assembly less", () => File.Delete(At("artifacts/zexus/program/other.dll")));
        Expect(builds: 1, "without the program", () => File.Delete(At("artifacts/zexus/program/zexus.dll")));
        Expect(builds: 0, "in the end");
    }

    [Fact]
    public void It_is_found_from_elsewhere_and_through_a_link()
    {
        Expect(builds: 1, "at first");
        File.CreateSymbolicLink(At("tools/linked"), At("zexus"));
        Assert.Equal("ran run a b\n", Run("/", At("zexus"), "run", "a b"));
        Assert.Equal("ran run x\n", Run("/", At("tools/linked"), "run", "x"));
        Assert.Equal("ran --help\n", Run(At("tools"), "../zexus", "--help"));
        Assert.Equal(1, Builds);
    }

    private int Builds => File.Exists(At("builds")) ? File.ReadAllLines(At("builds")).Length : 0;

    private void Expect(int builds, string when, Action? change = null)
    {
        if (change is not null)
        {
            // What is behind a look is noticed by its time alone. Times have the granularity of the kernel's clock.
            _ = Run(_workshop.Folder, "./zexus", "run");
            Thread.Sleep(20);
            change();
        }

        int before = Builds;
        Assert.Equal("ran run\n", Run(_workshop.Folder, "./zexus", "run"));
        Assert.Equal((when, builds), (when, Builds - before));
    }

    private string Run(string folder, string program, params string[] arguments)
    {
        ProcessStartInfo start = new("bash", [program, .. arguments])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["PATH"] = At("tools") + ":" + Environment.GetEnvironmentVariable("PATH");
        start.Environment["BUILDS"] = At("builds");
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, error);
        return output;
    }

    private string At(string path) => Path.Combine(_workshop.Folder, path);

    private void Write(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(At(path))!);
        File.WriteAllText(At(path), text);
    }

    private void MakeExecutable(string path) =>
        File.SetUnixFileMode(At(path), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
}
