module Zexus.Differential.Tests.Main

open System
open System.Threading
open Zexus.Isa
open Zexus.Differential

let private uses (opcode: Opcode) (case: Case) =
    let number = (InstructionSet.Of opcode).Number

    case.Program.Functions
    |> Array.exists (fun f -> f.Code |> Array.exists (fun i -> i.Number = number))

let rec private overflow (n: int) : int = 1 + overflow (n + 1) * 2

/// `worker SABOTAGE`: the child process of a campaign, with something wrong with its engine.
[<EntryPoint>]
let main arguments =
    match arguments with
    | [| "worker"; sabotage |] ->
        let lockStep =
            match sabotage with
            | "twist" -> new LockStep(LockStepTests.twist Opcode.MUL Opcode.ADD)
            | "twin" -> new LockStep(LevelTests.withTwin "fold/sub")
            | "exit at level 2" ->
                new LockStep(
                    {
                        Engine.real with
                            Optimize =
                                fun program level ->
                                    if level = 2 && LevelTests.has Opcode.MERKLE_ROOT program.Image then
                                        exit 70

                                    Engine.real.Optimize program level
                    }
                )
            | _ -> new LockStep()

        Worker.ServeConsole(fun counts plan case ->
            if uses Opcode.MERKLE_ROOT case then
                match sabotage with
                | "overflow" -> overflow 0 |> ignore
                | "exit" -> exit 70
                | "hang" -> Thread.Sleep Timeout.Infinite
                | _ -> ()

            let plan =
                if sabotage = "interpreted" then
                    { plan with Compiled = [||] }
                else
                    plan

            let case =
                if sabotage = "no loops" && plan.IsLoopHeavy then
                    Generate.ofFamily Family.RuleDirected 1UL 0L
                else
                    case

            lockStep.Check(counts, plan, case))

        0
    | _ ->
        Console.Error.WriteLine "This is a test project: dotnet test."
        2
