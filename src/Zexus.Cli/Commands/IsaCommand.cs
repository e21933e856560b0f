using System.CommandLine;
using System.Globalization;
using Zexus.Cli.Engines;
using Zexus.Cli.Output;
using Zexus.Isa;

namespace Zexus.Cli.Commands;

/// <summary>`zexus isa [WHAT]`.</summary>
internal static class IsaCommand
{
    public static Command Create(Terminal terminal)
    {
        Argument<string?> what = new("WHAT")
        {
            Description =
                "An instruction, builtin or method: by number, name or rule name. All instructions when not given.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<bool> library = new("--library") { Description = "List the builtins and methods." };
        Option<bool> reserved = new("--reserved") { Description = "List the reserved numbers, and why they are." };
        Option<bool> json = new("--json") { Description = "JSON on standard output (docs/json.md)." };
        Command command = new(
            "isa",
            "Look up the instruction set: stack effect, gas, faults, meaning, rule and its branches."
        )
        {
            what,
            library,
            reserved,
            json,
        };
        HelpWithExamples.Add(command, "./zexus isa ADD", "./zexus isa list.map", "./zexus isa --library");
        command.SetAction(parsed =>
        {
            string? word = parsed.GetValue(what);
            bool isJson = parsed.GetValue(json);
            int choices =
                (word is null ? 0 : 1) + (parsed.GetValue(library) ? 1 : 0) + (parsed.GetValue(reserved) ? 1 : 0);
            if (choices > 1)
            {
                throw Problem.Usage(
                    "WHAT, --library and --reserved exclude one another",
                    "./zexus isa --help shows how it is used."
                );
            }

            if (word is not null)
            {
                ShowOne(word, isJson, terminal.Out);
            }
            else if (parsed.GetValue(library))
            {
                ListLibrary(isJson, terminal.Out);
            }
            else if (parsed.GetValue(reserved))
            {
                ListReserved(isJson, terminal.Out);
            }
            else
            {
                ListOpcodes(isJson, terminal.Out);
            }

            return ExitCode.Completed;
        });
        return command;
    }

    // Lists.

    private static void ListOpcodes(bool isJson, TextWriter output)
    {
        if (isJson)
        {
            output.WriteLine(JsonLines(InstructionSet.Rows.Select(OpcodeJson)));
            return;
        }

        Columns(
            output,
            ["no.", "instruction", "stack", "gas", "meaning"],
            InstructionSet.Rows.Select(row =>
                new[]
                {
                    Text(row.Number),
                    Shape(row),
                    row.Stack,
                    GasText(row),
                    (row.Status == Status.Specified ? "" : "(not yet specified) ") + row.Meaning,
                }
            )
        );
    }

    private static void ListLibrary(bool isJson, TextWriter output)
    {
        if (isJson)
        {
            output.WriteLine(JsonLines(Library.Rows.Select(RoutineJson)));
            return;
        }

        Columns(
            output,
            ["builtin or method", "other names", "meaning"],
            Library.Rows.Select(row => new[] { row.Signature, string.Join(" ", row.Names.Skip(1)), row.Meaning })
        );
    }

    private static void ListReserved(bool isJson, TextWriter output)
    {
        if (isJson)
        {
            output.WriteLine(
                JsonLines(
                    InstructionSet.Reserved.Select(row =>
                        Json.Object(
                            ("number", Json.Of(row.Number)),
                            ("mnemonic", Json.Of(row.Mnemonic)),
                            ("reason", Json.Of(row.Reason))
                        )
                    )
                )
            );
            return;
        }

        Columns(
            output,
            ["no.", "name", "why no program may use it"],
            InstructionSet.Reserved.Select(row => new[] { Text(row.Number), row.Mnemonic, row.Reason })
        );
    }

    /// <summary>Columns as wide as their contents; the last one is free.</summary>
    private static void Columns(TextWriter output, string[] heads, IEnumerable<string[]> rows)
    {
        string[][] all = [heads, .. rows];
        int[] widths = [.. Enumerable.Range(0, heads.Length).Select(i => all.Max(row => row[i].Length))];
        foreach (string[] row in all)
        {
            output.WriteLine(
                string.Concat(
                        row.Select(
                            (cell, i) =>
                                i == 0 && heads[0] == "no."
                                    ? cell.PadLeft(widths[i]) + "  "
                                    : cell.PadRight(widths[i] + 2)
                        )
                    )
                    .TrimEnd()
            );
        }
    }

    // One row.

    private static void ShowOne(string word, bool isJson, TextWriter output)
    {
        bool isNumber = int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int number);
        ReservedNumber? reserved = InstructionSet.Reserved.FirstOrDefault(row =>
            isNumber ? row.Number == number : Same(row.Mnemonic, word)
        );
        if (reserved is not null)
        {
            throw Problem.Usage($"{reserved.Mnemonic} ({reserved.Number}) is reserved: {reserved.Reason}");
        }

        OpcodeInfo? opcode = InstructionSet.Rows.FirstOrDefault(row =>
            isNumber ? row.Number == number : Same(row.Mnemonic, word) || Same(row.Rule, word)
        );
        if (opcode is not null)
        {
            output.WriteLine(isJson ? OpcodeJson(opcode) : OpcodeText(opcode));
            return;
        }

        RoutineInfo[] routines = [.. Library.Rows.Where(row => IsCalled(row, word))];
        if (routines.Length > 0)
        {
            output.WriteLine(
                isJson
                    ? string.Join("\n", routines.Select(RoutineJson))
                    : string.Join("\n\n", routines.Select(RoutineText))
            );
            return;
        }

        throw NotFound(word, isNumber);
    }

    /// <summary>`map`, `list.map`, `list/map`.</summary>
    private static bool IsCalled(RoutineInfo row, string word)
    {
        string owner = row.Receiver == Receiver.Nothing ? "" : row.Receiver.ToString() + ".";
        return Same(row.Rule, word) || row.Names.Any(name => Same(name, word) || Same(owner + name, word));
    }

    private static Problem NotFound(string word, bool isNumber)
    {
        if (isNumber)
        {
            return Problem.Usage($"there is no instruction {word}", "./zexus isa lists the numbers that there are.");
        }

        IEnumerable<string> routines = Library.Rows.SelectMany(row =>
            row.Receiver == Receiver.Nothing
                ? row.Names
                : row.Names.Concat(row.Names.Select(name => row.Receiver.ToString().ToLowerInvariant() + "." + name))
        );
        IEnumerable<string> candidates = InstructionSet
            .Rows.SelectMany(row => new[] { row.Mnemonic, row.Rule })
            .Concat(InstructionSet.Reserved.Select(row => row.Mnemonic))
            .Concat(routines)
            .Concat(Library.Rows.Select(row => row.Rule));
        string near = Spelling.Nearest(word, candidates);
        return Problem.Usage(
            $"there is no instruction, builtin or method '{Terminal.Printable(word)}'",
            near == "" ? "./zexus isa and ./zexus isa --library list what there is." : $"Did you mean '{near}'?"
        );
    }

    private static string OpcodeText(OpcodeInfo row)
    {
        List<(string, string)> lines =
        [
            ("number", Text(row.Number)),
            ("stack", row.Stack),
            ("gas", GasText(row)),
            ("size gas", row.SizeGas == "" ? "none" : row.SizeGas),
            ("faults", row.Faults.Length == 0 ? "none" : string.Join(", ", row.Faults.Select(FaultText))),
            ("flow", FlowText(row.Flow)),
            (
                "rule",
                row.Status == Status.Specified
                    ? row.Rule
                    : row.Rule + " (not yet specified: a program that uses it does not load)"
            ),
        ];
        if (row.Status == Status.Specified)
        {
            lines.Add(("branches", string.Join(" ", Oracle.Branches(row.Rule))));
        }

        return Describe(Shape(row), row.Meaning, lines);
    }

    private static string RoutineText(RoutineInfo row)
    {
        List<(string, string)> lines =
        [
            ("names", string.Join(" ", row.Names)),
            ("gas", row.SizeGas == "" ? "the call's own" : "the call's own, and " + row.SizeGas),
            ("faults", row.Faults.Length == 0 ? "none" : string.Join(", ", row.Faults.Select(FaultText))),
            ("rule", row.Rule),
            ("branches", string.Join(" ", Oracle.Branches(row.Rule))),
        ];
        return Describe(row.Signature, row.Meaning, lines);
    }

    private static string Describe(string title, string meaning, IEnumerable<(string Name, string Text)> lines) =>
        string.Join("\n", [title, meaning, "", .. lines.Select(line => $"{line.Name, -9} {line.Text}")]);

    private static string FaultText(Fault fault) =>
        fault.IsCatchable ? fault.Name : fault.Name + " (ends the execution)";

    /// <summary>`JUMP target`.</summary>
    private static string Shape(OpcodeInfo row) =>
        row.Operands.Length == 0
            ? row.Mnemonic
            : row.Mnemonic + " " + string.Join(", ", row.Operands.Select(o => o.Name));

    private static string GasText(OpcodeInfo row)
    {
        string perCount =
            row.GasPerCount == 0 ? ""
            : row.GasPerCount == 1 ? " + n"
            : $" + {row.GasPerCount}n";
        bool isAmount = row.Operands.Any(o => o.Kind == OperandKind.Amount);
        return Text(row.Gas) + perCount + (isAmount ? " + amount" : "");
    }

    private static string OpcodeJson(OpcodeInfo row) =>
        Json.Object(
            ("number", Json.Of(row.Number)),
            ("mnemonic", Json.Of(row.Mnemonic)),
            (
                "operands",
                Json.Array(
                    row.Operands.Select(o =>
                        Json.Object(("name", Json.Of(o.Name)), ("kind", Json.Of(o.Kind.ToString().ToLowerInvariant())))
                    )
                )
            ),
            ("stack", Json.Of(row.Stack)),
            (
                "effect",
                Json.Object(
                    ("pops", Json.Of(row.Effect.Pops)),
                    ("popsPerCount", Json.Of(row.Effect.PopsPerCount)),
                    ("pushes", Json.Of(row.Effect.Pushes)),
                    ("pushesPerCount", Json.Of(row.Effect.PushesPerCount))
                )
            ),
            ("flow", Json.Of(FlowText(row.Flow))),
            ("gas", Json.Of(row.Gas)),
            ("gasPerCount", Json.Of(row.GasPerCount)),
            ("sizeGas", Json.Of(row.SizeGas)),
            ("faults", Json.Array(row.Faults.Select(f => Json.Of(f.Name)))),
            ("meaning", Json.Of(row.Meaning)),
            ("rule", Json.Of(row.Rule)),
            ("specified", Json.Of(row.Status == Status.Specified)),
            ("branches", Json.Array(Oracle.Branches(row.Rule).Select(Json.Of)))
        );

    private static string RoutineJson(RoutineInfo row) =>
        Json.Object(
            (
                "receiver",
                row.Receiver == Receiver.Nothing ? "null" : Json.Of(row.Receiver.ToString().ToLowerInvariant())
            ),
            ("names", Json.Array(row.Names.Select(Json.Of))),
            ("parameters", Json.Array(row.Parameters.Select(Json.Of))),
            ("signature", Json.Of(row.Signature)),
            ("sizeGas", Json.Of(row.SizeGas)),
            ("faults", Json.Array(row.Faults.Select(f => Json.Of(f.Name)))),
            ("meaning", Json.Of(row.Meaning)),
            ("rule", Json.Of(row.Rule)),
            ("branches", Json.Array(Oracle.Branches(row.Rule).Select(Json.Of)))
        );

    private static string JsonLines(IEnumerable<string> items) => "[\n  " + string.Join(",\n  ", items) + "\n]";

    private static string FlowText(Flow flow) =>
        flow.IsNext ? "next"
        : flow.IsJump ? "jump"
        : flow.IsBranch ? "branch"
        : flow.IsTry ? "try"
        : "leave";

    private static bool Same(string a, string b) => string.Equals(a, b, StringComparison.OrdinalIgnoreCase);

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
