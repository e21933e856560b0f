using System.Globalization;
using Microsoft.FSharp.Collections;
using Xunit;
using Zexus.Cli.Output;
using Zexus.Differential;
using Zexus.Vm;

namespace Zexus.Cli.Tests;

/// <summary>What a check that met no divergence must have come to besides: every count of it, left at zero, is red.</summary>
public sealed class CheckReportTests
{
    private static readonly string[] Counts =
    [
        .. ThreadedStatistics.Operations.Select(op => $"threaded op {op}"),
        .. ThreadedStatistics.Partial.Select(op => $"threaded source {op}"),
        .. ThreadedStatistics.ExitKinds.Select(kind => $"threaded exit {kind}"),
        .. JitStatistics.Operations.Select(op => $"op {op}"),
        .. JitStatistics.ExitKinds.Select(kind => $"exit {kind}"),
        .. JitStatistics.InlinedExitKinds.Select(kind => $"inlined exit {kind}"),
        "nested exits",
        "collections",
        .. JitStatistics.ExitKinds.Select(kind => $"loop exit {kind}"),
        "loop executions entered",
    ];

    public static TheoryData<string> Compiled => [.. Counts];

    private static LevelResult Level(
        IEnumerable<string> compiled,
        long executions = 1,
        long steps = 1,
        long facts = 1,
        long collections = 1,
        long freed = 1,
        long converted = 1,
        long registerSteps = 1,
        long spilled = 1
    ) =>
        new(
            level: Levels.registerForm(0),
            executions,
            stepwise: 1,
            steps,
            facts,
            collected: 1,
            collections,
            freed,
            compiled: new FSharpMap<string, long>(compiled.Select(Count)),
            before: 1,
            after: 1,
            branchesReached: 1,
            missing: [],
            converted,
            withoutRegisters: 0,
            registerSteps,
            spilled
        );

    /// <summary>A name, and after an equals sign how often, if that is not once.</summary>
    private static Tuple<string, long> Count(string text) =>
        text.Split('=') is [string name, string times]
            ? Tuple.Create(name, long.Parse(times, CultureInfo.InvariantCulture))
            : Tuple.Create(text, 1L);

    private static CheckReport Report(
        LevelResult level,
        long programs = 1,
        int saved = 1,
        long limits = 1,
        long ranOut = 1
    ) =>
        new(
            new CampaignResult(
                seed: 1,
                programs,
                saved,
                calls: 1,
                limits,
                ranOut,
                loops: 1,
                accepted: programs,
                refused: 0,
                steps: 1,
                levels: [level],
                elapsed: TimeSpan.FromSeconds(1),
                workers: 1,
                branchesReached: 1,
                branches: 1,
                missing: [],
                undeclared: [],
                faults: [],
                refusals: [],
                reports: [],
                divergences: 0,
                stoppedEarly: false
            ),
            isWhole: true,
            saved: []
        );

    [Fact]
    public void A_check_that_came_to_everything_is_green() => Assert.True(Report(Level(Counts)).IsGreen);

    [Theory]
    [MemberData(nameof(Compiled))]
    public void What_compiled_code_never_came_to_is_red(string count)
    {
        using Terminal terminal = new(TextWriter.Null, TextWriter.Null, Stream.Null);
        string text = Report(Level(Counts.Where(other => other != count))).ToText(terminal);
        string failed = text.Split('\n').Single(line => line.StartsWith("FAILED", StringComparison.Ordinal));
        Assert.EndsWith(
            count switch
            {
                "loop executions entered" => "loop-heavy programs never came to: an entry into a running loop",
                _ when count.StartsWith("threaded ", StringComparison.Ordinal) =>
                    $"threaded code never came to: {count["threaded ".Length..]}",
                _ when count.StartsWith("loop ", StringComparison.Ordinal) =>
                    $"loop-heavy programs never came to: {count["loop ".Length..]} from a loop",
                _ => $"compiled code never came to: {count}",
            },
            failed,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("compiled code has exits that it never took: Inc Overflow", "exits compiled Inc Overflow=100")]
    [InlineData("not compiled: no code for Add (1)", "refused no code for Add")]
    [InlineData("not compiled: no code for Add (1)", "threaded refused no code for Add")]
    [InlineData(
        "too large to be compiled: 3, more than one for a thousand that were compiled",
        "refused too much IL=2",
        "refused too many basic blocks",
        "pieces=2999"
    )]
    [InlineData(null, "exits compiled Inc Overflow=99")]
    [InlineData(null, "exits compiled Inc Overflow=100", "exits taken Inc Overflow")]
    [InlineData(null, "exits compiled Inc Gas=1000")]
    [InlineData(null, "refused no instructions=1000")]
    [InlineData(null, "refused too much IL=2", "refused too many basic blocks", "pieces=3000")]
    public void An_exit_that_is_never_taken_or_what_should_have_been_compiled_is_red(
        string? red,
        params string[] counts
    )
    {
        using Terminal terminal = new(TextWriter.Null, TextWriter.Null, Stream.Null);
        CheckReport report = Report(Level([.. Counts, .. counts]));
        Assert.Equal(red is null, report.IsGreen);
        string[] failed =
        [
            .. report.ToText(terminal).Split('\n').Where(line => line.StartsWith("FAILED", StringComparison.Ordinal)),
        ];
        Assert.Equal(red is null ? [] : [red], failed.Select(line => line["FAILED  ".Length..].Trim()));
    }

    [Fact]
    public void A_check_of_nothing_is_red()
    {
        Assert.False(Report(Level(Counts), programs: 0).IsGreen);
        Assert.False(Report(Level(Counts), limits: 0, ranOut: 0).IsGreen);
        Assert.False(Report(Level(Counts), limits: 2).IsGreen);
        Assert.False(Report(Level(Counts), saved: 0).IsGreen);
        Assert.False(Report(Level(Counts, executions: 0)).IsGreen);
        Assert.False(Report(Level(Counts, steps: 0)).IsGreen);
        Assert.False(Report(Level(Counts, facts: 0)).IsGreen);
        Assert.False(Report(Level(Counts, collections: 0)).IsGreen);
        Assert.False(Report(Level(Counts, converted: 0)).IsGreen);
        Assert.False(Report(Level(Counts, freed: 0)).IsGreen);
        Assert.False(Report(Level(Counts, registerSteps: 0)).IsGreen);
        Assert.False(Report(Level(Counts, spilled: 0)).IsGreen);
    }
}
