/// What the tests of the specification share.
module Zexus.Spec.Tests.Support

open System
open System.IO
open Expecto
open Zexus.Isa
open Zexus.Spec

/// The repository's root: the folder above the tests that has the solution.
let root =
    let rec up (folder: DirectoryInfo) =
        if isNull folder then
            failwith "The tests run outside of the repository."
        elif File.Exists(Path.Combine(folder.FullName, "Zexus.Spec.sln")) then
            folder.FullName
        else
            up folder.Parent

    up (DirectoryInfo AppContext.BaseDirectory)

let context = {
    GasLimit = Int.Known(bigint Gas.DefaultLimit)
    Timestamp = 1_700_000_000I
    Height = 7I
    Caller = "alice"
    State = Map.empty
    Host = Map.empty
    Entry = Entry.main
    VerifySignature = fun _ _ _ -> false
    Contract = ""
    Contracts = Map.empty
}

let assemble (text: string) =
    let result = Assembler.Assemble(text, "test.zxa")

    if Seq.isEmpty result.Diagnostics then
        result.Program
    else
        failtestf "%s" (String.Join("\n", result.Diagnostics |> Seq.map string))

let load (text: string) =
    let program = assemble text

    match Validation.validate Limits.Default program with
    | Ok loaded -> loaded
    | Error refusal -> failtestf "%s" (refusal.Describe program)

/// Run a program on the oracle.
let run (text: string) =
    Machine.run (Machine.start (load text) context)

/// Run code that leaves a String; its text.
let textOf (code: string) =
    match run (".func main()\n" + code + "\nRETURN\n.end\n") with
    | _, Machine.Ending.Completed(Value.Of(Kind.String(Str.Known s))) -> s
    | _, other -> failtestf "%A" other

/// Lines of a tab-separated file below tests/vectors.
let vectors (path: string) =
    File.ReadAllLines(Path.Combine(root, "tests", "vectors", path)) |> Array.map _.Split('\t')
