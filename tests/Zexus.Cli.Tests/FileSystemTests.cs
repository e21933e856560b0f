using System.Diagnostics;
using Xunit;

namespace Zexus.Cli.Tests;

/// <summary>A store on a file system that is full, and on one that can only be read: mounted for the test alone, which a namespace of its own allows to anybody.</summary>
public sealed class FileSystemTests : IDisposable
{
    /// <summary>Appends 64 KiB to the ledger.</summary>
    private const string Append = """
        .func main() locals text, i
            STORE_CONST text, "x"
            STORE_CONST i, 0
        loop:
            LOAD_NAME text
            LOAD_NAME text
            ADD
            STORE_NAME text
            LOAD_NAME i
            INC
            STORE_NAME i
            LOAD_NAME i
            LOAD_CONST 16
            LT
            JUMP_IF_TRUE loop
            LOAD_NAME text
            LEDGER_APPEND
        .end
        """;

    private const string Run = "zexus run append.zxa --state disk/store > out 2> err";

    private readonly Workshop _workshop = new();

    private string Folder => Path.GetDirectoryName(_workshop.Path("disk"))!;

    public void Dispose() => _workshop.Dispose();

    [MountFact]
    public void A_full_one_loses_nothing_and_has_room_later()
    {
        Outcome outcome = Mounted(
            $"""
            mount -t tmpfs -o size=600k none disk
            zexus state new disk/store > out
            done=0
            while [ $done -lt 100 ] && {Run}; do done=$((done + 1)); done
            {Run}; echo "code $?, done $done"
            cat out err
            zexus ledger list disk/store --json | wc -l
            zexus state verify disk/store | head -n 1
            cat /dev/zero > disk/fill 2> err
            zexus state new disk/other 2>&1; echo "code $?"; ls disk
            mount -o remount,size=8m disk
            {Run}; echo "code $?"
            zexus state verify disk/store | head -n 1
            """
        );
        int done = int.Parse(
            outcome.Out.Split("done ")[1].Split('\n')[0],
            System.Globalization.CultureInfo.InvariantCulture
        );
        Assert.InRange(done, 1, 99);
        Assert.Equal(
            $"""
            code 3, done {done}
            error: cannot write disk/store: the disk is full
              What was committed before is there; make room and try again.
            {done}
            sound    {done} receipts, {done} ledger entries, 0 keys
            error: disk/other cannot be made a store: No space left on device : '$PWD/disk/other/lock'
            code 3
            fill
            store
            code 0
            sound    {done + 1} receipts, {done + 1} ledger entries, 0 keys

            """.Replace("$PWD", Folder, StringComparison.Ordinal),
            outcome.Out
        );
    }

    [MountFact]
    public void One_that_can_only_be_read_is_named()
    {
        const string Refused = """
            code 3
            error: disk/store/lock cannot be written: Read-only file system : '$PWD/disk/store/lock'
              A store is opened by who may write it.
            """;
        Outcome outcome = Mounted(
            $"""
            mount -t tmpfs none disk
            zexus state new disk/store > out
            {Run}; echo "code $?"
            mount -o remount,ro disk
            {Run}; echo "code $?"; cat out err
            zexus state verify disk/store > out 2> err; echo "code $?"; cat out err
            zexus state new disk/other > out 2> err; echo "code $?"; cat out err
            mount -o remount,rw disk
            zexus state verify disk/store | head -n 1
            """
        );
        Assert.Equal(
            $"""
            code 0
            {Refused}
            {Refused}
            code 3
            error: disk/other cannot be made a store: Read-only file system : '$PWD/disk/other'
            sound    1 receipts, 1 ledger entries, 0 keys

            """.Replace("$PWD", Folder, StringComparison.Ordinal),
            outcome.Out
        );
    }

    /// <summary>A script in the folder, where <c>disk</c> is one and <c>zexus</c> the program.</summary>
    private Outcome Mounted(string script)
    {
        _workshop.Write("append.zxa", Append);
        Directory.CreateDirectory(_workshop.Path("disk"));
        string program = Path.Combine(AppContext.BaseDirectory, "zexus.dll");
        using Process process = Process.Start(
            new ProcessStartInfo("unshare", ["-rm", "sh", "-c", $"zexus() {{ dotnet '{program}' \"$@\"; }}\n{script}"])
            {
                WorkingDirectory = Folder,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;
        Outcome outcome = Workshop.Finish(process);
        Assert.Equal("", outcome.Error);
        return outcome;
    }

    private sealed class MountFactAttribute : FactAttribute
    {
        public MountFactAttribute() =>
            Skip = CanMount() ? null : "this system lets nobody mount in a namespace of his own";

        private static bool CanMount()
        {
            try
            {
                using Process process = Process.Start(
                    new ProcessStartInfo("unshare", ["-rm", "mount", "-t", "tmpfs", "none", Path.GetTempPath()])
                    {
                        RedirectStandardError = true,
                    }
                )!;
                process.WaitForExit();
                return process.ExitCode == 0;
            }
            catch (System.ComponentModel.Win32Exception)
            {
                return false;
            }
        }
    }
}
