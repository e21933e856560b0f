using System.Diagnostics;
using System.Globalization;
using Xunit;

namespace Zexus.Cli.Tests;

/// <summary>What only a process of its own shows: signals, pipes, the child processes of a check.</summary>
public sealed class ProcessTests : IDisposable
{
    private readonly Workshop _workshop = new();

    public void Dispose() => _workshop.Dispose();

    [Theory]
    [InlineData("interpreter")]
    [InlineData("oracle")]
    public void Ctrl_C_ends_a_run_with_code_5(string engine)
    {
        string file = _workshop.Write("endless.zxa", Workshop.Endless);
        using Process process = Workshop.Start("run", file, "--gas", "1_000_000_000_000_000", "--engine", engine);
        Interrupt(process, after: TimeSpan.FromSeconds(1.5));
        Outcome outcome = Workshop.Finish(process);
        Assert.Equal(new Outcome(5, "", "error: stopped\n"), outcome);
    }

    /// <summary>A process that may have one GiB of memory guards three quarters of it.</summary>
    [Fact]
    public void The_usual_guard_of_memory_is_no_more_than_the_process_may_have()
    {
        using Process process = Workshop.Start(
            new Dictionary<string, string?> { ["DOTNET_GCHeapHardLimit"] = "0x40000000" },
            "run",
            "--help"
        );
        Assert.Contains("[default: 805306368]", Workshop.Finish(process).Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Ctrl_C_ends_a_check_and_its_children()
    {
        using Process process = Workshop.Start("check", "--programs", "100_000_000", "--workers", "2");
        int[] children = [];
        Assert.True(SpinWait.SpinUntil(() => (children = ChildrenOf(process.Id)).Length == 2, 60_000), "no children");
        Interrupt(process, after: TimeSpan.FromSeconds(2));
        Outcome outcome = Workshop.Finish(process);
        Assert.True(
            SpinWait.SpinUntil(() => !children.Any(child => StatusOf(child) is { State: not 'Z' }), 10_000),
            "a child goes on"
        );
        Assert.Equal((5, ""), (outcome.Code, outcome.Out));
        Assert.EndsWith("error: stopped\n", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Ctrl_C_ends_an_export_to_whoever_reads_it()
    {
        const int Keys = 20_000;
        string file = _workshop.Write(
            "many.zxa",
            $"""
            .func main() locals i
                STORE_CONST i, 0
            loop:
                LOAD_NAME i
                CALL_BUILTIN str, 1
                LOAD_NAME i
                STATE_WRITE
                LOAD_NAME i
                INC
                STORE_NAME i
                LOAD_NAME i
                LOAD_CONST {Keys}
                LT
                JUMP_IF_TRUE loop
            .end
            """
        );
        string store = _workshop.Path("store");
        Assert.Equal(0, Workshop.Run("state", "new", store).Code);
        Assert.Equal(0, Workshop.Run("run", file, "--state", store).Code);
        using Process process = Workshop.Start("state", "export", store);
        Assert.NotNull(process.StandardOutput.ReadLine());

        // It waits for the pipe, which has room for a few thousand of them.
        Interrupt(process, after: TimeSpan.FromSeconds(0.5));
        Outcome outcome = Workshop.Finish(process);
        Assert.Equal((5, "error: stopped\n"), (outcome.Code, outcome.Error));
        Assert.True(outcome.Out.Count(c => c == '\n') < Keys / 2);
    }

    [Fact]
    public void A_reader_that_goes_away_ends_a_trace_quietly()
    {
        string file = _workshop.Write("endless.zxa", Workshop.Endless);
        using Process process = Workshop.Start("trace", file);
        Assert.NotNull(process.StandardOutput.ReadLine());
        process.StandardOutput.Close();
        Assert.True(process.WaitForExit(TimeSpan.FromSeconds(30)));
        Assert.Equal((0, ""), (process.ExitCode, process.StandardError.ReadToEnd()));
    }

    [Fact]
    public void A_full_disk_is_an_error()
    {
        ProcessStartInfo start = new("sh", ["-c", $"dotnet '{AppContext.BaseDirectory}zexus.dll' isa > /dev/full"])
        {
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.Equal((3, "error: cannot write the output: No space left on device\n"), (process.ExitCode, error));
    }

    [Fact]
    public void Output_is_utf_8_whatever_the_program_prints()
    {
        string file = _workshop.Write("text.zxa", ".func main()\n    LOAD_CONST \"grüße 🦊\"\n    PRINT\n.end\n");
        using Process process = Workshop.Start("run", file);
        Assert.Equal("grüße 🦊\n", Workshop.Finish(process).Out);
    }

    private static int[] ChildrenOf(int parent) =>
        [
            .. Directory
                .GetDirectories("/proc")
                .Select(folder => int.TryParse(Path.GetFileName(folder), out int id) ? id : 0)
                .Where(id => id > 0 && StatusOf(id)?.Parent == parent),
        ];

    /// <summary>From /proc/ID/stat: behind the name, which may have any characters. Null when there is no such process.</summary>
    private static (char State, int Parent)? StatusOf(int id)
    {
        try
        {
            string status = File.ReadAllText($"/proc/{id}/stat");
            string[] fields = status[(status.LastIndexOf(')') + 2)..].Split(' ');
            return (fields[0][0], int.Parse(fields[1], CultureInfo.InvariantCulture));
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static void Interrupt(Process process, TimeSpan after)
    {
        Thread.Sleep(after);
        using Process kill = Process.Start("kill", ["-INT", process.Id.ToString()]);
        kill.WaitForExit();
    }
}
