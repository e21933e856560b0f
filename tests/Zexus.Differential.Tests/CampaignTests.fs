module Zexus.Differential.Tests.CampaignTests

open System
open System.Collections.Generic
open System.Diagnostics
open System.IO
open System.Threading
open Xunit
open Zexus.Isa
open Zexus.Differential

/// This assembly as the child process, with a fault of its own: see Main.fs.
let private worker (sabotage: string) : Func<ProcessStartInfo> =
    Func<ProcessStartInfo>(fun () ->
        let info = ProcessStartInfo(Environment.ProcessPath)

        if Path.GetFileNameWithoutExtension Environment.ProcessPath <> "dotnet" then
            info.FileName <- "dotnet"

        info.ArgumentList.Add(Reflection.Assembly.GetExecutingAssembly().Location)
        info.ArgumentList.Add "worker"
        info.ArgumentList.Add sabotage
        info)

let private campaign sabotage programs =
    CampaignOptions(
        StartWorker = worker sabotage,
        Programs = programs,
        Seed = 21UL,
        Workers = 2,
        ShrinkTime = TimeSpan.FromSeconds 60.0,
        MaxReports = 3
    )

let private uses (opcode: Opcode) (case: Case) =
    let number = (InstructionSet.Of opcode).Number

    case.Program.Functions
    |> Array.exists (fun f -> f.Code |> Array.exists (fun i -> i.Number = number))

let private usual = lazy Campaign.run (campaign "none" 600L)

[<Fact>]
let ``a campaign checks every program and counts it`` () =
    let result = usual.Value
    Assert.Equal(600L, result.Programs)
    Assert.Equal(600L, result.Accepted + result.Refused)
    Assert.True(result.Steps > 5000L)
    Assert.True(result.BranchesReached > 150)
    Assert.Empty result.Undeclared
    Assert.False result.StoppedEarly

[<Fact>]
let ``a campaign runs every program at every level, and steps along with one level besides 0`` () =
    let result = usual.Value
    Assert.Equal<int[]>([| 0; 1; 2; 3; 4; 7 |], result.Levels |> Array.map _.Level)
    let source = result.Levels[0]

    for level in result.Levels do
        Assert.True(level.IsChecked && level.Facts > 0L && level.BranchesReached > 150, $"{level}")
        Assert.Equal(source.Executions, level.Executions)
        Assert.Equal(source.Before, level.Before)
        Assert.True(level.IsCollected && level.Collected < level.Executions / 8L, $"{level}")
        Assert.True(level.Level = 0 || Levels.isRegisterForm level.Level || level.After < level.Before)
        Assert.False level.IsRegisterFormOnlyByName
        Assert.Equal(Levels.isRegisterForm level.Level, level.Converted > 100L && level.RegisterSteps > 100L)

    let collected = result.Levels |> Array.sumBy _.Collected
    Assert.InRange(collected, source.Executions / 6L, source.Executions / 3L)
    Assert.Equal(source.Executions, source.Stepwise)
    Assert.Equal(source.Stepwise, result.Levels[1..] |> Array.sumBy _.Stepwise)
    Assert.Equal(result.Steps, result.Levels |> Array.sumBy _.Steps)

[<Fact>]
let ``a campaign of some levels runs these, and one of none fails`` () =
    let options = campaign "none" 100L
    options.Levels <- [| 2 |]
    let level = Assert.Single (Campaign.run options).Levels
    Assert.Equal(2, level.Level)
    Assert.Equal(level.Executions, level.Stepwise)
    options.Levels <- [||]
    Assert.Throws<CampaignFailed>(fun () -> Campaign.run options |> ignore)

[<Fact>]
let ``the same seed gives the same counts with any number of workers`` () =
    let one = campaign "none" 400L
    one.Workers <- 1
    let a = Campaign.run one
    let b = Campaign.run (campaign "none" 400L)
    Assert.Equal(a.Steps, b.Steps)
    Assert.Equal(a.Accepted, b.Accepted)
    Assert.Equal<string[]>(a.Missing, b.Missing)
    Assert.Equal<KeyValuePair<string, int64>[]>(a.Faults, b.Faults)
    Assert.Equal<KeyValuePair<string, int64>[]>(a.Refusals, b.Refusals)

    for one, two in Array.zip a.Levels b.Levels do
        Assert.Equal(
            (one.Executions, one.Stepwise, one.Steps, one.Facts, one.Collected, one.RegisterSteps),
            (two.Executions, two.Stepwise, two.Steps, two.Facts, two.Collected, two.RegisterSteps)
        )

[<Fact>]
let ``a check of nothing fails`` () =
    Assert.Throws<CampaignFailed>(fun () -> Campaign.run (campaign "none" 0L) |> ignore)

[<Fact>]
let ``a child that does not start is an error and no divergence`` () =
    let options = campaign "none" 10L
    options.StartWorker <- Func<ProcessStartInfo>(fun () -> ProcessStartInfo("false"))
    Assert.Throws<CampaignFailed>(fun () -> Campaign.run options |> ignore)

[<Theory>]
[<InlineData("overflow")>]
[<InlineData("exit")>]
let ``a child that dies is a divergence, shrunk, and the campaign goes on`` (sabotage: string) =
    // Each death costs the start of another child, so few programs will do.
    let result = Campaign.run (campaign sabotage 120L)
    Assert.Equal(120L, result.Programs)
    let report = Assert.Single result.Reports
    Assert.Equal(Trouble.Crash, report.Divergence.Trouble)
    Assert.True(result.Divergences > 1L)
    Assert.True(uses Opcode.MERKLE_ROOT report.Case)
    // Each candidate that still kills its child costs the start of another one.
    Assert.True(Reporting.size report.Case <= 5)

[<Fact>]
let ``a child that hangs is a divergence, shrunk, and the campaign goes on`` () =
    let options = campaign "hang" 40L
    // Two of its first 40 programs use MERKLE_ROOT; each costs the patience of one.
    options.Seed <- 22UL
    options.Patience <- TimeSpan.FromSeconds 2.0
    options.ShrinkBudget <- 12
    let result = Campaign.run options
    Assert.Equal(40L, result.Programs)
    let report = Assert.Single result.Reports
    Assert.Equal(Trouble.Hang, report.Divergence.Trouble)
    Assert.True(uses Opcode.MERKLE_ROOT report.Case)

[<Fact>]
let ``a wrong engine gives a report with a small program, the rule, both states and a command that reproduces it`` () =
    let result = Campaign.run (campaign "twist" 400L)
    Assert.False result.IsGreen
    let report = result.Reports |> Array.find (fun r -> r.Divergence.Rule = "arith/mul")
    Assert.True(Reporting.size report.Case <= 8)
    let text = Reporting.text report
    Assert.Contains("arith/mul", text)
    Assert.Contains("MUL", text)
    Assert.Contains("oracle after it", text)
    Assert.Contains("engine after it", text)

    match report.Origin with
    | Origin.Saved _
    | Origin.Call _ -> Assert.Fail "it was generated"
    | Origin.Generated(seed, index) ->
        Assert.Contains($"./zexus check --seed {seed} --program {index}", text)
        let again = campaign "twist" 1L
        again.Seed <- seed
        again.First <- index
        let found = Assert.Single (Campaign.run again).Reports
        Assert.Equal(Divergence.key report.Divergence, Divergence.key found.Divergence)

[<Fact>]
let ``a wrong rewrite gives a report with the level, the code and a command that reproduces it`` () =
    let options = campaign "twin" 2000L
    options.MaxReports <- 1
    let report = (Campaign.run options).Reports[0]
    Assert.Equal((Trouble.Whole, 1), (report.Divergence.Trouble, report.Divergence.Level))
    let text = Reporting.text report
    Assert.True(Reporting.size report.Case <= 6, text)
    Assert.Contains("at level 1, the optimized program does not do what its source does", text)
    Assert.Contains("rewrites: fold/sub 1", text)
    Assert.EndsWith("--levels 1\n", text)

    match report.Origin with
    | Origin.Saved _
    | Origin.Call _ -> Assert.Fail "it was generated"
    | Origin.Generated(seed, index) ->
        let again = campaign "twin" 1L
        again.Seed <- seed
        again.First <- index
        again.Levels <- [| 1 |]
        let found = Assert.Single (Campaign.run again).Reports
        Assert.Equal(Divergence.key report.Divergence, Divergence.key found.Divergence)

[<Fact>]
let ``a child that dies at one level is reported with that level`` () =
    let report = Assert.Single (Campaign.run (campaign "exit at level 2" 200L)).Reports

    Assert.Equal((Trouble.Crash, 2), (report.Divergence.Trouble, report.Divergence.Level))
    Assert.True(uses Opcode.MERKLE_ROOT report.Case)

[<Fact>]
let ``a divergence saved as a vector is found again`` () =
    let folder = Directory.CreateTempSubdirectory "vectors"

    try
        let report = (Campaign.run (campaign "twist" 300L)).Reports[0]
        let path = Reporting.save folder.FullName report
        let options = campaign "twist" 0L
        options.Saved <- Reporting.vectors folder.FullName
        let result = Campaign.run options
        Assert.Equal(1, result.Saved)
        let found = Assert.Single result.Reports
        Assert.Equal(Origin.Saved path, found.Origin)
        Assert.Equal(Divergence.key report.Divergence, Divergence.key found.Divergence)
        Assert.Contains(Divergence.key report.Divergence, Vector.about (File.ReadAllText path))
    finally
        folder.Delete true

[<Fact>]
let ``a campaign can be cancelled`` () =
    use cancel = new CancellationTokenSource(TimeSpan.FromSeconds 3.0)
    let options = campaign "none" 10_000_000L
    options.Cancel <- cancel.Token
    Assert.ThrowsAny<OperationCanceledException>(fun () -> Campaign.run options |> ignore)

[<Fact>]
let ``where a divergence was found is told while a campaign runs, so that who cancels it has not lost it`` () =
    use cancel = new CancellationTokenSource()
    let options = campaign "twist" 10_000_000L
    options.Cancel <- cancel.Token
    let mutable last = [||]

    options.Progress <-
        Action<Progress>(fun progress ->
            last <- progress.Found

            if last.Length > 0 then
                cancel.Cancel())

    Assert.ThrowsAny<OperationCanceledException>(fun () -> Campaign.run options |> ignore) |> ignore

    match last[0] with
    | Origin.Generated(seed, index) ->
        let again = campaign "twist" 1L
        again.Seed <- seed
        again.First <- index
        Assert.NotEmpty (Campaign.run again).Reports
    | other -> failwith $"not generated: %A{other}"

[<Fact>]
let ``loop-heavy programs enter compiled loops while they run, and leave them in the middle`` () =
    let options = campaign "none" 10L
    options.Loops <- 150L
    let result = Campaign.run options
    Assert.Equal(160L, result.Programs)
    Assert.Empty result.Reports
    Assert.Empty result.LoopsNeverCompiled
    let executions = result.CompiledCount "loop executions"
    Assert.InRange(result.CompiledCount "loop executions entered", executions / 2L, executions)
    Assert.True(result.Levels |> Array.exists (fun level -> level.Spilled > 0L))

[<Fact>]
let ``loops that no compiled code enters are named`` () =
    let options = campaign "interpreted" 0L
    options.Loops <- 10L
    let result = Campaign.run options
    Assert.Equal(10L, result.Programs)
    Assert.Contains("an entry into a running loop", result.LoopsNeverCompiled)
    Assert.Contains("exit Kind from a loop", result.LoopsNeverCompiled)

[<Fact>]
let ``loops that saved programs run do not hide that loop-heavy programs have none`` () =
    let options = campaign "no loops" 0L
    options.Loops <- 10L

    options.Saved <- [|
        for index in 0L .. 9L ->
            KeyValuePair($"{index}", Vector.toLine (Generate.case 21UL (Generate.firstLoop + index)))
    |]

    let result = Campaign.run options
    Assert.Equal(20L, result.Programs)
    Assert.Empty result.Reports
    Assert.True(result.CompiledCount "entered" > 0L)
    Assert.True(result.CompiledCount "op compiled LoadConst" > 0L)
    Assert.Equal(0L, result.CompiledCount "loop entered")
    Assert.Contains("an entry into a running loop", result.LoopsNeverCompiled)
