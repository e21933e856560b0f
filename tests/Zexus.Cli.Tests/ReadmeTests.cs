using System.Runtime.CompilerServices;
using Xunit;
using Zexus.Isa;
using Zexus.Vm;

namespace Zexus.Cli.Tests;

using Vm = Zexus.Vm.Vm;

/// <summary>What the README shows is so.</summary>
public sealed class ReadmeTests : IDisposable
{
    private static readonly string Text = File.ReadAllText(Path.Combine(Workshop.Repository, "README.md"));

    private readonly Workshop _workshop = new();

    public void Dispose() => _workshop.Dispose();

    [Fact]
    public void The_example_gives_what_it_says()
    {
        string[] blocks = Text.Split("```\n");
        string program = blocks.First(block => block.StartsWith(".func main()", StringComparison.Ordinal));
        string session = blocks.First(block => block.StartsWith("$ ./zexus run visits.zxa", StringComparison.Ordinal));
        string file = _workshop.Write("visits.zxa", program);
        string run = Workshop.Run("run", file).Error;
        string trace = Workshop.Run("trace", file).Out;
        Assert.Equal($"$ ./zexus run visits.zxa\n{run}\n$ ./zexus trace visits.zxa\n{trace}", session);
    }

    [Fact]
    public void The_chain_gives_what_it_says()
    {
        string[] blocks = Text.Split("```\n");
        string program = blocks.First(block => block.StartsWith(".func main()", StringComparison.Ordinal));
        string session = blocks.First(block => block.StartsWith("$ ./zexus state new chain", StringComparison.Ordinal));
        string file = _workshop.Write("visits.zxa", program);
        string store = Path.Combine(_workshop.Folder, "chain");
        Assert.Equal(0, Workshop.Run("state", "new", store).Code);
        string[] run = ["run", file, "--state", store, "--caller", "alice", "--nonce", "0"];
        string shown = "$ ./zexus run visits.zxa --state chain --caller alice --nonce 0\n";
        Assert.Equal(
            "$ ./zexus state new chain\n"
                + $"{shown}{Workshop.Run(run).Error}\n"
                + $"{shown}{Workshop.Run(run).Error}\n"
                + $"$ ./zexus state verify chain\n{Workshop.Run("state", "verify", store).Out}",
            session
        );
    }

    [Fact]
    public void The_demo_gives_what_it_says()
    {
        string session = Text.Split("```\n")
            .First(block => block.StartsWith("$ ./zexus chain demo", StringComparison.Ordinal));
        Assert.Equal($"$ ./zexus chain demo\n{Workshop.Run("chain", "demo").Out}", session);
    }

    [Fact]
    public void The_rule_is_the_specifications()
    {
        string rule = Text.Split("```fsharp\n")[1].Split("```")[0];
        string source = Path.Combine(Workshop.Repository, "spec", "Zexus.Spec", "Rules", "Arithmetic.fs");
        Assert.Contains(rule, File.ReadAllText(source), StringComparison.Ordinal);
    }

    [Fact]
    public void The_embedding_is_this_code_and_prints_what_it_says()
    {
        string snippet = Text.Split("```csharp\n")[1].Split("```")[0];
        string indented = string.Join(
            "\n",
            snippet.TrimEnd().Split('\n').Select(line => line == "" ? "" : "            " + line)
        );
        Assert.Contains(indented, File.ReadAllText(ThisFile()), StringComparison.Ordinal);

        string program = Text.Split("```\n").First(block => block.StartsWith(".func main()", StringComparison.Ordinal));
        _workshop.Write("visits.zxa", program);
        Assert.Contains($"It prints `{new Embedding(_workshop.Folder).Run()}`.", Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Its_links_lead_somewhere()
    {
        foreach (string link in Text.Split("](").Skip(1).Select(rest => rest.Split(')')[0]))
        {
            Assert.True(File.Exists(Path.Combine(Workshop.Repository, link)), link);
        }
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;

    /// <summary>The README's lines, in which File and Console are not the usual ones.</summary>
    private sealed class Embedding(string folder)
    {
        private readonly Folder File = new(folder);
        private readonly StringWriter Console = new();

        public string Run()
        {
            AssemblyResult assembly = Assembler.Assemble(File.ReadAllText("visits.zxa"), "visits.zxa");
            ZexusProgram program = ZexusProgram.Load(assembly.Program); // ProgramRefusedException says why not

            using Vm vm = new(
                new VmOptions
                {
                    GasLimit = 100_000,
                    Block = new BlockContext { Caller = "alice", Height = 7 },
                    State = new Dictionary<string, Data> { ["visits"] = Data.NewInt(41) },
                    Host = new HostFunctions().Register(
                        "price_of",
                        arity: 1,
                        gas: 50,
                        HostEffects.ReadsHost,
                        arguments => HostOutcome.Returned(Data.NewInt(100))
                    ),
                }
            );
            ExecutionResult result = vm.Execute(program, CancellationToken.None);
            Console.WriteLine($"{result.IsCompleted}, {result.GasUsed} gas, visits = {result.State["visits"]}");
            return Console.ToString().TrimEnd();
        }
    }

    private sealed class Folder(string path)
    {
        public string ReadAllText(string name) => File.ReadAllText(Path.Combine(path, name));
    }
}
