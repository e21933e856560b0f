/// Z3, in process and as a program, on the same text.
/// Microsoft.Z3 4.12.2 has no native library for Linux; Debian's libz3 4.8.12 serves, but lacks an entry point that the public constructor
/// of Context calls, so the context is made through the native layer. One context is reused; each query has a solver of its own.
module Zexus.Proofs.Solver

open System
open System.Collections.Generic
open System.Diagnostics
open System.Reflection
open System.Threading
open Microsoft.Z3

[<RequireQualifiedAccess>]
type Answer =
    /// No model: what was claimed to be impossible is.
    | Unsat
    /// A model: constants by name, as the solver prints them.
    | Sat of Map<string, string>
    /// Neither, or an error in the text. Never taken for an answer.
    | Failed of reason: string

let private context =
    Lazy<Context>(fun () ->
        let config = Native.Z3_mk_config()
        let handle = Native.Z3_mk_context_rc config
        Native.Z3_del_config config

        let constructor =
            typeof<Context>
                .GetConstructor(BindingFlags.Instance ||| BindingFlags.NonPublic, null, [| typeof<nativeint> |], null)

        if isNull constructor then
            invalidOp "This Microsoft.Z3 has no Context(IntPtr) constructor; version 4.12.2 has."

        constructor.Invoke [| box handle |] :?> Context)

let private gate = obj ()

/// The resources of one query, in Z3's own deterministic units; wall-clock is no part of a verdict.
[<Literal>]
let ResourceLimit = 200_000_000u

/// The bits of a binary64 numeral, as `0x…`; Z3 prints the numerals themselves without the sign of a zero.
let private floatBits (x: FPNum) =
    let bits =
        if x.IsNaN then
            0x7FF8000000000000UL
        elif x.IsInf then
            0x7FF0000000000000UL
        elif x.IsZero then
            0UL
        else
            (uint64 (x.ExponentInt64 true) <<< 52) ||| x.SignificandUInt64

    let sign = if not x.IsNaN && x.Sign then 0x8000000000000000UL else 0UL
    "0x" + (sign ||| bits).ToString "x16"

let private model (solver: Solver) =
    let value (e: Expr) =
        match e with
        | :? FPNum as x -> floatBits x
        | other -> other.ToString()

    Map.ofSeq (
        seq {
            for declaration in solver.Model.ConstDecls do
                declaration.Name.ToString(), value (solver.Model.ConstInterp declaration)
        }
    )

/// Check a query in process.
let check (text: string) : Answer =
    lock gate (fun () ->
        try
            let z3 = context.Value
            use solver = z3.MkSolver()
            use parameters = z3.MkParams()
            parameters.Add("rlimit", ResourceLimit) |> ignore
            solver.Parameters <- parameters
            let assertions = z3.ParseSMTLIB2String(text, null, null, null, null)

            for assertion in assertions do
                solver.Assert assertion

            match solver.Check() with
            | Status.UNSATISFIABLE -> Answer.Unsat
            | Status.SATISFIABLE -> Answer.Sat(model solver)
            | Status.UNKNOWN -> Answer.Failed("unknown: " + solver.ReasonUnknown)
            | other -> Answer.Failed("status " + other.ToString())
        with
        | :? Z3Exception as problem -> Answer.Failed("Z3: " + problem.Message)
        | :? DllNotFoundException as problem ->
            Answer.Failed("libz3 is not installed (Debian's package libz3-dev): " + problem.Message))

/// Check a query with a solver program that reads SMT-LIB from its input: `z3 -in`, `cvc5 --lang smt2 -`.
let checkWith (program: string) (arguments: string list) (text: string) : Answer =
    let start =
        ProcessStartInfo(
            program,
            arguments,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false
        )

    try
        use solver = Process.Start start
        let output = solver.StandardOutput.ReadToEndAsync()
        let errors = solver.StandardError.ReadToEndAsync()
        solver.StandardInput.Write text
        solver.StandardInput.Close()

        if not (solver.WaitForExit(TimeSpan.FromSeconds 60.0)) then
            solver.Kill true
            Answer.Failed(program + " gave no answer within 60 s")
        else
            let lines = output.Result.Trim()
            // z3 can print an error and then answer; that is no answer.
            if lines.Contains "(error" || errors.Result.Contains "error" then
                Answer.Failed(program + ": " + lines + errors.Result)
            elif lines = "unsat" then
                Answer.Unsat
            elif lines = "sat" then
                Answer.Sat Map.empty
            else
                Answer.Failed(program + ": " + lines)
    with :? System.ComponentModel.Win32Exception ->
        Answer.Failed(program + " is not installed")
