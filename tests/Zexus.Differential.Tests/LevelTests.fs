/// What is wrong with optimized code, or with what the optimizer takes for granted, does not pass a check.
module Zexus.Differential.Tests.LevelTests

open System
open System.Collections.Immutable
open System.Reflection.Emit
open Xunit
open Zexus.Isa
open Zexus.Vm
open Zexus.Differential

let has (opcode: Opcode) (program: Program) =
    let number = (InstructionSet.Of opcode).Number

    program.Functions |> Array.exists (fun f -> f.Code |> Array.exists (fun i -> i.Number = number))

/// The optimizer with one rewrite replaced by its broken twin.
let withTwin (name: string) =
    let rewrites = [
        for r in RewriteCatalog.All ->
            if r.Name = name then
                Rewrite(
                    r.Name,
                    r.Technique,
                    r.Level,
                    r.Equation,
                    r.Pattern,
                    r.BrokenTwin,
                    r.Preconditions,
                    r.BrokenTwin
                )
            else
                r
    ]

    {
        Engine.real with
            Optimize = fun program level -> Optimizer.Optimize(program.Image, program.Limits, rewrites, level, false)
    }

/// The optimizer with something done to the code that it makes.
let private withCode (change: TranslatedInstruction[] -> TranslatedInstruction[]) = {
    Engine.real with
        Optimize =
            fun program level ->
                let result = Engine.real.Optimize program level
                let code = result.Program

                OptimizationResult(
                    TranslatedProgram(
                        code.Source,
                        code.Constants,
                        ImmutableArray.CreateRange(
                            code.Functions
                            |> Seq.map (fun f ->
                                TranslatedFunction(ImmutableArray.CreateRange(change (Seq.toArray f.Code))))
                        ),
                        level
                    ),
                    result.Passes,
                    result.Rewrites,
                    result.Log,
                    result.Transformations,
                    result.Before,
                    result.After
                )
}

let private withFacts (change: InstructionFacts -> InstructionFacts) = {
    Engine.real with
        Facts =
            fun program ->
                let facts = Engine.real.Facts program
                fun f -> ImmutableArray.CreateRange(Seq.map change (facts f))
}

/// The first divergence among so many generated programs.
let private find (engine: Engine) (plan: LevelPlan) (programs: int) =
    use lockStep = new LockStep(engine)

    let run = Check(fun counts plan case -> lockStep.Check(counts, plan, case))

    Seq.initInfinite int64
    |> Seq.truncate programs
    |> Seq.tryPick (fun index ->
        Worker.Run(run, LevelCounts.ForAll(), plan, Generate.case 9UL index) |> List.tryPick _.Divergence)

let private found engine plan programs =
    match find engine plan programs with
    | Some d -> d
    | None -> failwith $"not found in {programs} programs"

let private unwatched level = {
    Levels = [| level |]
    Stepwise = [||]
    Collected = [||]
    Compiled = [||]
    Compilers = Compilers.inTurn[..0]
    IsLoopHeavy = false
}

let twins: obj[] seq =
    seq {
        for name in
            [
                "fold/add"
                "fold/sub"
                "combine/store-const"
                "stack/constant-dropped"
                "stack/copy-dropped"
            ] do
            [| box name |]
    }

[<Theory; MemberData(nameof twins)>]
let ``a broken rewrite is found out`` (name: string) =
    Assert.Contains(RewriteCatalog.All, (fun (r: Rewrite) -> r.Name = name))
    let d = found (withTwin name) (unwatched 3) 9000
    Assert.Equal((Trouble.Whole, 3), (d.Trouble, d.Level))
    Assert.Contains(name, d.Code)

[<Theory; InlineData(1); InlineData(2); InlineData(3)>]
let ``a charge that is lost is found out`` (level: int) =
    let drop (code: TranslatedInstruction[]) =
        code
        |> Array.map (fun i ->
            if i.Charges.Length >= 2 then
                TranslatedInstruction(i.Opcode, i.A, i.B, i.C, i.Source, i.Charges.RemoveAt 1, i.JumpCharges)
            else
                i)

    let d = found (withCode drop) (unwatched level) 500
    Assert.Equal((Trouble.Whole, level), (d.Trouble, d.Level))

[<Fact>]
let ``a charge for another instruction is found out when the gas runs out there`` () =
    let shift (code: TranslatedInstruction[]) =
        code
        |> Array.map (fun i ->
            if i.Charges.Length >= 2 then
                let moved = i.Charges.SetItem(1, Charge(i.Charges[0].Source, i.Charges[1].Amount))
                TranslatedInstruction(i.Opcode, i.A, i.B, i.C, i.Source, moved, i.JumpCharges)
            else
                i)

    let d = found (withCode shift) (unwatched 2) 3000
    Assert.Equal("fault source", d.Differences[0].What)

[<Fact>]
let ``optimized code without stack discipline is found out`` () =
    let pop =
        TranslatedInstruction(Opcode.POP, 0L, 0L, 0L, 0, ImmutableArray.Empty, ImmutableArray.Empty)

    let d =
        found (withCode (fun code -> if code.Length > 0 then [| pop |] else code)) (unwatched 1) 50

    Assert.Equal((Trouble.Optimizer, 1), (d.Trouble, d.Level))
    Assert.Contains("StackUnderflow", d.Engine)

[<Fact>]
let ``an optimizer that throws is found out`` () =
    let d =
        found
            {
                Engine.real with
                    Optimize = fun _ _ -> failwith "no idea"
            }
            (unwatched 2)
            50

    Assert.Equal((Trouble.Optimizer, 2), (d.Trouble, d.Level))

let private narrow (change: KindFact -> KindFact) (facts: InstructionFacts) =
    InstructionFacts(
        facts.IsReached,
        ImmutableArray.CreateRange(Seq.map change facts.Stack),
        ImmutableArray.CreateRange(Seq.map change facts.Frame)
    )

/// A fact about values that can be more than one thing, and one of the things forgotten.
let private forget (kinds: KindSet) (fact: KindFact) =
    if fact.Kinds.HasFlag kinds && fact.Kinds <> kinds then
        KindFact(fact.Place, fact.Kinds &&& ~~~kinds, fact.IsSmall)
    else
        fact

[<Theory;
  InlineData(0, KindSet.Int);
  InlineData(0, KindSet.Float);
  InlineData(2, KindSet.Int);
  InlineData(3, KindSet.String)>]
let ``a kind that the analysis forgets is found out`` (level: int) (kind: KindSet) =
    let d =
        found
            (withFacts (narrow (forget kind)))
            {
                Levels = [||]
                Stepwise = [| 0; level |]
                Collected = [||]
                Compiled = [||]
                Compilers = Compilers.inTurn[..0]
                IsLoopHeavy = false
            }
            3000

    Assert.Equal((Trouble.Fact, 0), (d.Trouble, d.Level))
    let difference = Assert.Single d.Differences
    Assert.DoesNotContain(string kind, difference.Engine.Split ", ")

[<Fact>]
let ``an Int of more than 64 bits where the analysis rules it out is found out`` () =
    let small (fact: KindFact) = KindFact(fact.Place, fact.Kinds, true)
    let d = found (withFacts (narrow small)) (LevelPlan.every [| 0 |]) 3000
    Assert.Equal(Trouble.Fact, d.Trouble)
    Assert.Equal("an Int of at most 64 bits", d.Differences[0].Engine)

[<Fact>]
let ``a place that the analysis finds no way to is found out`` () =
    let none = InstructionFacts(false, ImmutableArray.Empty, ImmutableArray.Empty)
    let d = found (withFacts (fun _ -> none)) (LevelPlan.every [| 0 |]) 50
    Assert.Equal((Trouble.Fact, "reached"), (d.Trouble, d.Differences[0].What))

[<Fact>]
let ``facts are asserted on optimized code, too`` () =
    let none = InstructionFacts(false, ImmutableArray.Empty, ImmutableArray.Empty)

    let engine = {
        Engine.real with
            Facts =
                fun program ->
                    let facts = Engine.real.Facts program

                    if isNull program.Translation then
                        facts
                    else
                        fun f -> ImmutableArray.CreateRange(Seq.map (fun _ -> none) (facts f))
    }

    let d = found engine (LevelPlan.every [| 2 |]) 50
    Assert.Equal((Trouble.Fact, 2), (d.Trouble, d.Level))

/// The converter with something done to the code that it makes.
let private withRegisterCode (change: TranslatedInstruction[] -> TranslatedInstruction[]) = {
    Engine.real with
        Convert =
            fun program ->
                let result = Engine.real.Convert program
                let code = result.Program

                ConversionResult(
                    TranslatedProgram(
                        code.Source,
                        code.Constants,
                        ImmutableArray.CreateRange(
                            code.Functions
                            |> Seq.map (fun f ->
                                TranslatedFunction(ImmutableArray.CreateRange(change (Seq.toArray f.Code))))
                        ),
                        code.Level,
                        true
                    ),
                    result.Functions,
                    result.Transformations
                )
}

let private registerForm = Levels.registerForm 0

[<Fact>]
let ``register code with operands the other way round is found out`` () =
    let swap (code: TranslatedInstruction[]) =
        code
        |> Array.map (fun i ->
            if i.Opcode = Opcode.SUB_REG then
                TranslatedInstruction(i.Opcode, i.A, i.C, i.B, i.Source, i.Charges, i.JumpCharges)
            else
                i)

    let d = found (withRegisterCode swap) (unwatched registerForm) 3000
    Assert.Equal((Trouble.Whole, registerForm), (d.Trouble, d.Level))

[<Fact>]
let ``a charge that the converter loses is found out`` () =
    let drop (code: TranslatedInstruction[]) =
        code
        |> Array.map (fun i ->
            if i.Opcode = Opcode.ADD_REG then
                TranslatedInstruction(i.Opcode, i.A, i.B, i.C, i.Source, ImmutableArray.Empty, i.JumpCharges)
            else
                i)

    let d = found (withRegisterCode drop) (unwatched registerForm) 3000
    Assert.Equal((Trouble.Whole, registerForm), (d.Trouble, d.Level))

[<Fact>]
let ``a converter that gives up where it need not is found out`` () =
    let engine = {
        Engine.real with
            Convert =
                fun program ->
                    ConversionResult(
                        program,
                        ImmutableArray.CreateRange(
                            program.Functions
                            |> Seq.map (fun f ->
                                let size = f.Code.Length
                                FunctionConversion(ConversionOutcome.NoRegisters, size, size, 0, 0, 0, 0))
                        ),
                        ImmutableArray.Empty
                    )
    }

    let d = found engine (unwatched registerForm) 50
    Assert.Equal((Trouble.Optimizer, registerForm), (d.Trouble, d.Level))

[<Fact>]
let ``a converter that converts nothing is right, and has no count that a check asks for`` () =
    let engine = {
        Engine.real with
            Convert =
                fun program ->
                    ConversionResult(
                        program,
                        ImmutableArray.CreateRange(
                            program.Functions
                            |> Seq.map (fun f ->
                                let size = f.Code.Length
                                FunctionConversion(ConversionOutcome.NothingToConvert, size, size, 0, 0, 0, 0))
                        ),
                        ImmutableArray.Empty
                    )
    }

    use lockStep = new LockStep(engine)
    let counts = LevelCounts.ForAll()

    for index in 0L .. 200L do
        let verdict =
            lockStep.Check(counts, LevelPlan.every [| registerForm |], Generate.case 9UL index)

        Assert.Equal(None, verdict.Divergence)

    Assert.True(counts[registerForm].Executions > 100L)
    Assert.Equal(0L, counts[registerForm].Converted)

[<Fact>]
let ``levels are read as they are written`` () =
    Assert.Equal("0,1,2,3,0r,3r", Levels.text Levels.all)
    Assert.Equal<int[]>(Levels.all, Levels.parse (Levels.text Levels.all))
    Assert.Equal(None, Levels.tryParse "4")
    Assert.Equal(None, Levels.tryParse "r")

let private reached (case: Case) (level: int) =
    use lockStep = new LockStep()
    let counts = LevelCounts.ForAll()
    Assert.True((lockStep.Check(counts, LevelPlan.every [| level |], case)).Divergence.IsNone)
    let branches = counts[level].Coverage
    fun name -> not (Array.contains name branches.Missing)

[<Fact>]
let ``a branch counts for a level when its code enters it, and constants out of the state are not folded`` () =
    let source =
        Assembler.Assemble(".func main()\nLOAD_CONST 1\nLOAD_CONST 2\nSUB\nRETURN\n.end\n", "test").Program

    let case = {
        Program = source
        Limits = Limits.Default
        GasLimit = 1000L
        GasShare = None
        Block = Host.emptyBlock
        State = [||]
        Hosts = [||]
        Contract = ""
        Contracts = [||]
        Entry = 0
        Arguments = [||]
    }

    Assert.True(reached case 0 "arith/sub/int")
    // The LOAD_CONST in the place of the SUB does not subtract.
    Assert.False(reached case 1 "arith/sub/int")
    Assert.True(reached case 1 "stack/load-const/scalar")

    for level in Levels.all do
        Assert.True(reached (Witness.veil case).Value level "arith/sub/int")

[<Theory; InlineData true; InlineData false>]
let ``what fails to compile does not pass`` (isOnStack: bool) =
    let emitting =
        if isOnStack then
            Action<ILGenerator>(fun il -> il.Emit OpCodes.Pop)
        else
            Action<ILGenerator>(fun _ -> raise (IndexOutOfRangeException()))

    let compiler = {
        Options = JitOptions(Background = false, CallThreshold = 0, LoopThreshold = 0, Emitting = emitting)
        IsOnStack = isOnStack
    }

    let plan = {
        LevelPlan.every [| 0 |] with
            Compilers = [| compiler |]
    }

    let d = found Engine.real plan 50
    Assert.Equal(Trouble.Compiled, d.Trouble)
    Assert.Contains("not compiled: System.I", d.Engine)
