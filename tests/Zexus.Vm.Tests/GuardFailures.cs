using Xunit;

namespace Zexus.Vm.Tests;

/// <summary>A deoptimization at every guard of a program's compiled code, one by one.</summary>
internal static class GuardFailures
{
    /// <summary>
    /// Runs the program as it is, and then once for each guard of each piece of compiled code, which fails whenever it is reached: until then
    /// all is as it is without, and then the piece is left there. A piece that is left for good early does not come to its later guards; the
    /// same one of those that stand at the instruction for the same reason does in another piece. Guards that no piece comes to are those
    /// that unreached-guards.txt names, no more and no fewer.
    /// </summary>
    /// <param name="name">The program's, and its form's, in that file.</param>
    /// <param name="program">The program.</param>
    /// <param name="eager">When to compile.</param>
    /// <param name="run">Executes it with the options, and asserts that every observable is what it should be.</param>
    public static void Check(string name, ZexusProgram program, JitOptions eager, Action<JitOptions> run)
    {
        run(eager);
        JitStatistics statistics = program.JitStatistics(eager)!;
        Assert.Empty(statistics.Failures);
        Assert.Empty(statistics.Refusals);
        // The cache lets go of them, and frees them, when there have been guards enough.
        (string[] Guards, long Mismatches)[] pieces =
        [
            .. program.Compiled(eager)!.Pieces().Select(piece => (Guards(piece), Mismatches(piece))),
        ];
        Assert.NotEmpty(pieces);
        SortedSet<string> unreached = new(StringComparer.Ordinal);
        HashSet<string> reached = [];
        for (int piece = 0; piece < pieces.Length; piece++)
        {
            string[] guards = pieces[piece].Guards;
            for (int guard = 0; guard < guards.Length; guard++)
            {
                JitOptions jit = eager with { FailGuard = guard, FailPiece = piece };
                run(jit);
                Assert.Empty(program.JitStatistics(jit)!.Failures);
                CompiledPiece failed = program.Compiled(jit)!.Pieces()[piece];
                Assert.Equal(guards, Guards(failed));
                _ = unreached.Add(guards[guard]);
                if (HasFailed(failed, guard, pieces[piece].Mismatches))
                {
                    _ = reached.Add(guards[guard]);
                }
            }
        }

        unreached.ExceptWith(reached);
        string known =
            Known.SingleOrDefault(line => line.StartsWith($"{name}: ", StringComparison.Ordinal)) ?? $"{name}: ";
        string actual = $"{name}: {string.Join(", ", unreached)}";
        Assert.True(known == actual, $"{actual}\nis not what unreached-guards.txt says:\n{known}");
    }

    /// <summary>The lines of unreached-guards.txt: a program and its form, and the guards.</summary>
    public static string[] Known { get; } =
        File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "unreached-guards.txt"));

    /// <summary>
    /// The guards of a piece: where each leaves to, and why, and which it is of those that leave there for that reason, since a loop may have
    /// several turns in a piece, and a callee stand in several callers. One without a place of its own is that of a parameter in a register.
    /// </summary>
    private static unsafe string[] Guards(CompiledPiece piece)
    {
        string[] guards = new string[piece.Guards];
        Array.Fill(guards, $"{piece.Function->Number} parameter");
        foreach (nint at in piece.Sites)
        {
            Site* site = (Site*)at;
            if (site->Guard > 0)
            {
                guards[site->Guard - 1] =
                    $"{site->Function->Number}:{site->At - site->Function->Code} {(Op)site->At->Op} {site->Exit}";
            }
        }

        Dictionary<string, int> times = [];
        for (int guard = 0; guard < guards.Length; guard++)
        {
            int time = times[guards[guard]] = times.GetValueOrDefault(guards[guard]) + 1;
            guards[guard] += time > 1 ? $" #{time}" : "";
        }

        return guards;
    }

    /// <summary>
    /// Has the guard failed? Those of parameters share one exit, which is taken when one of them fails by itself, too: then more often.
    /// </summary>
    private static unsafe bool HasFailed(CompiledPiece failed, int guard, long mismatches)
    {
        foreach (nint at in failed.Sites)
        {
            if (((Site*)at)->Guard == guard + 1)
            {
                return ((Site*)at)->Taken > 0;
            }
        }

        return Mismatches(failed) > mismatches;
    }

    /// <summary>How often a parameter in a register was not what was assumed.</summary>
    private static unsafe long Mismatches(CompiledPiece piece) =>
        piece.Entry->Mismatch == null ? 0 : piece.Entry->Mismatch->Taken;
}
