using System.CommandLine;
using System.CommandLine.Parsing;
using System.Diagnostics;
using System.Globalization;
using Zexus.Cli.Files;
using Zexus.Cli.Output;
using Zexus.Differential;
using Zexus.Vm;

namespace Zexus.Cli.Commands;

/// <summary>`zexus check`.</summary>
internal static class CheckCommand
{
    /// <summary>The hidden command of the child processes.</summary>
    public const string Worker = "check-worker";

    private const long UsualPrograms = 100_000;
    private const long UsualLoops = 1_000;

    public static Command Create(Terminal terminal)
    {
        Option<long> programs = WholeNumber.Option(
            "--programs",
            "How many programs to generate.",
            UsualPrograms,
            least: 1
        );
        Option<long> loops = WholeNumber.Option(
            "--loops",
            "How many loop-heavy programs to generate besides.",
            UsualLoops
        );
        Option<long> seed = WholeNumber.Option("--seed", "Which programs are generated.", 1);
        Option<long?> program = WholeNumber.Optional(
            "--program",
            "Check this one of the seed's programs, and nothing else."
        );
        Option<string?> vector = new("--vector")
        {
            Description =
                "Check this one vector (.json), program (.zxa, .zxb) or scenario (.scenario.json), and nothing else.",
            HelpName = "FILE",
        };
        Option<long> workers = WholeNumber.Option(
            "--workers",
            "Child processes at a time.",
            Environment.ProcessorCount,
            least: 1,
            most: 1024
        );
        Option<int[]> levels = new("--levels")
        {
            // As they are given, which is not how they are counted.
            Description =
                $"The optimization levels to check; with an r, as 3r, the register form of its code. [default: {Levels.text(Levels.all)}]",
            HelpName = "N,N",
            CustomParser = ParseLevels,
        };
        Option<string?> save = new("--save")
        {
            Description = "Save what diverges as vectors here.",
            HelpName = "FOLDER",
        };
        Option<bool> json = new("--json") { Description = "One JSON document on standard output (docs/json.md)." };
        Command command = new(
            "check",
            "Compare the engine with the specification, step by step: on all vectors, all examples, and generated programs."
        )
        {
            programs,
            loops,
            seed,
            program,
            vector,
            levels,
            workers,
            save,
            json,
        };
        HelpWithExamples.Add(
            command,
            "./zexus check",
            "./zexus check --programs 1_000_000 --seed 7 --save found",
            "./zexus check --levels 0,2,3r",
            "./zexus check --seed 7 --program 4711 --levels 2"
        );
        command.SetAction(parsed =>
        {
            long? one = parsed.GetValue(program);
            string? path = parsed.GetValue(vector);
            if (one is not null && path is not null)
            {
                throw Problem.Usage(
                    "--program and --vector exclude one another",
                    "./zexus check --help shows how it is used."
                );
            }

            CampaignOptions options = new()
            {
                StartWorker = StartWorker,
                Seed = (ulong)parsed.GetValue(seed),
                Levels = parsed.GetValue(levels) is { Length: > 0 } given ? given : Levels.all,
                Workers = (int)parsed.GetValue(workers),
                Programs = parsed.GetValue(programs),
                Cancel = terminal.Cancellation,
            };
            bool isWhole = false;
            if (path is not null)
            {
                options.Programs = 0;
                if (ScenarioFile.IsOne(path))
                {
                    options.Scenarios = [new(InputFile.Shown(path), ScenarioFile.Read(path))];
                }
                else
                {
                    options.Saved = [CaseFile.Read(path, InputFile.Shown(path), terminal)];
                }
            }
            else if (one is long index)
            {
                options.First = index;
                options.IsStepwiseEverywhere = true;
                options.Programs = 1;
            }
            else
            {
                isWhole = true;
                options.Loops = parsed.GetValue(loops);
                string root =
                    Repository.Root()
                    ?? throw Problem.File(
                        "the vectors and examples are not there: zexus was moved out of its repository",
                        "Run ./zexus check in the repository."
                    );
                options.Saved = CaseFile.OfRepository(root, terminal);
                options.Scenarios = ScenarioFile.OfRepository(root);
            }

            CampaignResult result = Run(options, terminal);
            string? folder = parsed.GetValue(save);
            string[] saved = folder is null ? [] : [.. result.Reports.Select(report => Save(folder, report))];
            CheckReport report = new(result, isWhole, saved);
            terminal.Out.WriteLine(parsed.GetValue(json) ? report.ToJson() : report.ToText(terminal));
            return report.IsGreen ? ExitCode.Completed : ExitCode.Faulted;
        });
        return command;
    }

    /// <summary>Serves as a child process of a check.</summary>
    public static int Serve()
    {
        using LockStep lockStep = new();
        Differential.Worker.ServeConsole(lockStep.Check);
        return ExitCode.Completed;
    }

    /// <summary>Levels in ascending order, each once.</summary>
    private static int[] ParseLevels(ArgumentResult result)
    {
        string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        SortedSet<int> levels = [];
        foreach (string part in text.Split(','))
        {
            if (Levels.tryParse(part) is not { } level)
            {
                result.AddError(
                    $"--levels takes levels from 0 to {Optimizer.HighestLevel}, each with an r behind it or without, and commas between, not '{text}'"
                );
                return [];
            }

            levels.Add(level.Value);
        }

        return [.. levels];
    }

    private static ProcessStartInfo StartWorker()
    {
        string self = Environment.ProcessPath ?? "dotnet";
        bool isHost = Path.GetFileNameWithoutExtension(self) == "dotnet";
        ProcessStartInfo start = isHost
            ? new ProcessStartInfo(self, [typeof(CheckCommand).Assembly.Location, Worker])
            : new ProcessStartInfo(self, [Worker]);

        // A worker lives for a minute and allocates small, short-lived states: instrumented code does not pay for
        // itself, and a young generation of 4 MiB stays in the processor's cache. Whoever sets these knows better.
        start.Environment.TryAdd("DOTNET_TieredPGO", "0");
        start.Environment.TryAdd("DOTNET_GCgen0size", "0x400000");

        // It compiles thousands of methods, and .NET maps memory twice for each so that none is ever both written and run.
        start.Environment.TryAdd("DOTNET_EnableWriteXorExecute", "0");
        return start;
    }

    private static CampaignResult Run(CampaignOptions options, Terminal terminal)
    {
        try
        {
            return CheckProgress.Show(options, terminal);
        }
        catch (CampaignFailed e)
        {
            throw new Problem(
                ExitCode.Internal,
                "the check could not be done: " + e.message,
                "This is not about the programs checked. Please report it."
            );
        }
    }

    private static string Save(string folder, Report report)
    {
        try
        {
            return Reporting.save(folder, report);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Problem.File($"cannot save into '{Terminal.Printable(folder)}': {Terminal.Printable(e.Message)}");
        }
    }
}
