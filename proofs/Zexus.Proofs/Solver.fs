/// Z3, in process and as a program, on the same text.
/// Microsoft.Z3 4.12.2 has no native library for Linux; Debian's libz3 4.8.12 serves, but lacks an entry point that the public constructor
/// of Context calls, so the context is made through the native layer. One context a thread is reused; each query has a solver of its own.
module Zexus.Proofs.Solver

open System
open System.Diagnostics
open System.Text.RegularExpressions
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

/// The wall-clock backstop of one query: what the resource limits do not see, as some loops of z3 over long strings, ends too.
let private patience = TimeSpan.FromSeconds 30.0

// The wrapper's objects have finalizers that release terms on another thread while this one is at work, and old libraries have no lock for
// that. So the native layer is called directly, and what it makes is released here.

/// Without a handler the library ends the process on an error; with one that does nothing, the calls here throw. Kept, so that it is not collected.
let private onError = Native.Z3_error_handler(fun _ _ -> ())

let private makeContext () =
    let config = Native.Z3_mk_config()
    let context = Native.Z3_mk_context_rc config
    Native.Z3_del_config config
    Native.Z3_set_error_handler(context, onError)
    // SMT-LIB text for values.
    Native.Z3_set_ast_print_mode(context, 2u)
    context

/// A context is one thread's.
let private context = new ThreadLocal<nativeint>(makeContext)

/// The resources of one query, in Z3's own deterministic units; wall-clock is no part of a verdict.
[<Literal>]
let ResourceLimit = 60_000_000u

let private floatPattern =
    Regex(@"^\(fp #b([01]) #b([01]{11}) #x([0-9a-f]{13})\)$", RegexOptions.CultureInvariant)

/// A value as its text: Ints in decimal, Floats as the 64 bits `0x…`, Strings with their quotes.
let private valueText (smt: string) =
    let fraction = floatPattern.Match smt

    if fraction.Success then
        let bits =
            (Convert.ToUInt64(fraction.Groups[1].Value, 2) <<< 63)
            ||| (Convert.ToUInt64(fraction.Groups[2].Value, 2) <<< 52)
            ||| Convert.ToUInt64(fraction.Groups[3].Value, 16)

        "0x" + bits.ToString "x16"
    elif smt.StartsWith("(- ", StringComparison.Ordinal) then
        "-" + smt.Substring(3, smt.Length - 4)
    else
        match smt with
        | "(_ NaN 11 53)" -> "0x7ff8000000000000"
        | "(_ +oo 11 53)" -> "0x7ff0000000000000"
        | "(_ -oo 11 53)" -> "0xfff0000000000000"
        | "(_ +zero 11 53)" -> "0x0000000000000000"
        | "(_ -zero 11 53)" -> "0x8000000000000000"
        | other -> other

let private model z3 solver =
    let model = Native.Z3_solver_get_model(z3, solver)
    Native.Z3_model_inc_ref(z3, model)

    try
        Map.ofList [
            for index in 0u .. Native.Z3_model_get_num_consts(z3, model) - 1u do
                let declaration = Native.Z3_model_get_const_decl(z3, model, index)
                let value = Native.Z3_model_get_const_interp(z3, model, declaration)

                if value <> 0n then
                    Native.Z3_get_symbol_string(z3, Native.Z3_get_decl_name(z3, declaration)),
                    valueText (Native.Z3_ast_to_string(z3, value))
        ]
    finally
        Native.Z3_model_dec_ref(z3, model)

let private setLimit z3 solver =
    let parameters = Native.Z3_mk_params z3
    Native.Z3_params_inc_ref(z3, parameters)

    let set (name: string) value =
        Native.Z3_params_set_uint(z3, parameters, Native.Z3_mk_string_symbol(z3, name), value)

    set "rlimit" ResourceLimit
    set "timeout" (uint32 patience.TotalMilliseconds)
    Native.Z3_solver_set_params(z3, solver, parameters)
    Native.Z3_params_dec_ref(z3, parameters)

/// The logic that a text names, of those that have a procedure of their own in z3: bit-blasting for Floats alone.
let private logicOf (text: string) =
    [ "QF_FP" ]
    |> List.tryFind (fun logic -> text.StartsWith("(set-logic " + logic + ")\n", StringComparison.Ordinal))

/// What is asked of z3's procedures, for the key of an answer.
[<Literal>]
let Procedures = "qffp for QF_FP"

/// Check a query in process.
let check (text: string) : Answer =
    try
        let z3 = context.Value

        let solver =
            match logicOf text with
            | Some logic -> Native.Z3_mk_solver_for_logic(z3, Native.Z3_mk_string_symbol(z3, logic))
            | None -> Native.Z3_mk_solver z3

        Native.Z3_solver_inc_ref(z3, solver)

        try
            setLimit z3 solver
            Native.Z3_solver_from_string(z3, solver, text)

            match Native.Z3_solver_check(z3, solver) with
            | -1 -> Answer.Unsat
            | 1 -> Answer.Sat(model z3 solver)
            | _ -> Answer.Failed("unknown: " + Native.Z3_solver_get_reason_unknown(z3, solver))
        finally
            Native.Z3_solver_dec_ref(z3, solver)
    with
    | :? Z3Exception as problem -> Answer.Failed("Z3: " + problem.Message)
    | :? DllNotFoundException as problem ->
        Answer.Failed("libz3 is not installed (Debian's package libz3-dev): " + problem.Message)

/// Check a query with a solver program that reads SMT-LIB from its input.
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

        if not (solver.WaitForExit patience) then
            solver.Kill true
            Answer.Failed $"{program} gave no answer within {patience.TotalSeconds} s"
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
        Answer.Failed(program + " is not installed (Debian's package " + program + ")")

/// The resources of one query, in cvc5's own deterministic units.
[<Literal>]
let Cvc5ResourceLimit = 20_000_000

/// What stands behind an answer, so that its end can be seen.
[<Literal>]
let private EndOfAnswer = "end-of-answer"

/// A running cvc5. `(reset)` gives each query a solver of its own; starting a process for each costs more than most queries do.
/// It ends when its input does, which is when this process does.
[<Sealed>]
type private Cvc5() =
    let start () =
        let info =
            ProcessStartInfo(
                "cvc5",
                [ "--lang=smt2"; $"--reproducible-resource-limit={Cvc5ResourceLimit}"; "-" ],
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                UseShellExecute = false
            )

        let started = Process.Start info
        // Warnings would fill the pipe and stop it.
        started.ErrorDataReceived.Add ignore
        started.BeginErrorReadLine()
        started

    let mutable running: Process = null

    let stop () =
        running.Kill true
        running.Dispose()
        running <- null

    member _.Ask(text: string) : Answer =
        if isNull running then
            running <- start ()

        running.StandardInput.Write(text + "(echo \"" + EndOfAnswer + "\")\n(reset)\n")
        running.StandardInput.Flush()
        let clock = Stopwatch.StartNew()

        let rec read lines =
            let line = running.StandardOutput.ReadLineAsync()
            let left = patience - clock.Elapsed

            if left <= TimeSpan.Zero || not (line.Wait left) then
                stop ()
                Answer.Failed $"cvc5 gave no answer within {patience.TotalSeconds} s"
            elif isNull line.Result then
                // It ends after an error.
                stop ()
                Answer.Failed("cvc5: " + String.Join(" ", List.rev lines))
            elif line.Result.Trim('"') = EndOfAnswer then
                match lines with
                | [ "unsat" ] -> Answer.Unsat
                | [ "sat" ] -> Answer.Sat Map.empty
                | lines -> Answer.Failed("cvc5: " + String.Join(" ", List.rev lines))
            else
                read (line.Result.Trim() :: lines)

        read []

let private cvc5 = new ThreadLocal<Cvc5>(fun () -> Cvc5())

/// cvc5, the second opinion.
let checkWithCvc5 (text: string) : Answer =
    try
        cvc5.Value.Ask text
    with
    | :? System.ComponentModel.Win32Exception -> Answer.Failed "cvc5 is not installed (Debian's package cvc5)"
    | :? System.IO.IOException as problem -> Answer.Failed("cvc5: " + problem.Message)

/// The version of the library that answers in process; the reason, if none does.
let z3Version () : string =
    try
        let mutable major, minor, build, revision = 0u, 0u, 0u, 0u
        Native.Z3_get_version(&major, &minor, &build, &revision)
        $"{major}.{minor}.{build}"
    with :? DllNotFoundException ->
        "that is not installed"

/// The first line that `cvc5 --version` prints.
let cvc5Version () : string =
    let start =
        ProcessStartInfo("cvc5", [ "--version" ], RedirectStandardOutput = true, UseShellExecute = false)

    try
        use solver = Process.Start start
        let line = solver.StandardOutput.ReadLine()
        solver.WaitForExit()
        if isNull line then "cvc5 that says no version" else line
    with :? System.ComponentModel.Win32Exception ->
        "cvc5 that is not installed"
