namespace Zexus.Differential

open System
open System.IO
open System.Text
open System.Text.Encodings.Web
open System.Text.Json

/// How a case went wrong.
[<RequireQualifiedAccess>]
type Trouble =
    /// One side loads the program and the other refuses it, or they refuse it for different reasons.
    | Refusal
    /// Before an instruction, the two states differ.
    | Step
    /// The executions end differently, or at different times.
    | End
    /// The two sides called the host differently.
    | Host
    /// A value is not what the kind analysis says before an instruction.
    | Fact
    /// An execution without a look at its steps comes to something else than the oracle's of the source.
    | Whole
    /// The same, with collections forced; or the heap is broken after one.
    | Collected
    /// The optimizer threw, or made code that is refused.
    | Optimizer
    /// The engine threw an exception.
    | Engine
    /// The oracle threw an exception.
    | Oracle
    /// The child process died.
    | Crash
    /// The child process did not come back in time.
    | Hang

/// One thing that differs, as both sides have it.
type Difference = {
    What: string
    Oracle: string
    Engine: string
}

/// The first step at which a case goes wrong.
type Divergence = {
    Trouble: Trouble
    /// The optimization level of the code that ran; -1 when that is not known.
    Level: int
    /// Steps before it.
    Step: int64
    /// The rule of the instruction whose effect differs.
    Rule: string
    Function: int
    Instruction: int
    Differences: Difference[]
    /// The two states before the step.
    Before: string
    /// The two states after it.
    Oracle: string
    Engine: string
    /// The optimized code that ran; "" when the program ran as it is.
    Code: string
}

[<RequireQualifiedAccess>]
module Divergence =
    /// Two divergences with the same key are the same one for the shrinker and for the count: how, in which rule, what differs first, and
    /// whether in optimized code.
    let key (d: Divergence) =
        let what =
            if d.Differences.Length = 0 then
                ""
            else
                // `stack[3]` and `stack[0]` are the same thing going wrong.
                let text = d.Differences[0].What
                String(text |> Seq.takeWhile (fun c -> c <> '[' && c <> '.') |> Seq.toArray)

        $"{d.Trouble} {d.Rule} {what}" + (if d.Level > 0 then " (optimized)" else "")

    /// A divergence of which nothing is known but that it happened.
    let bare trouble text = {
        Trouble = trouble
        Level = -1
        Step = -1L
        Rule = ""
        Function = -1
        Instruction = -1
        Differences = [||]
        Before = ""
        Oracle = ""
        Engine = text
        Code = ""
    }

    let write (w: Utf8JsonWriter) (d: Divergence) =
        w.WriteStartObject()
        w.WriteString("trouble", string d.Trouble)
        w.WriteNumber("level", d.Level)
        w.WriteNumber("step", d.Step)
        w.WriteString("rule", d.Rule)
        w.WriteNumber("function", d.Function)
        w.WriteNumber("instruction", d.Instruction)
        w.WritePropertyName "differences"
        w.WriteStartArray()

        for difference in d.Differences do
            w.WriteStartObject()
            w.WriteString("what", difference.What)
            w.WriteString("oracle", difference.Oracle)
            w.WriteString("engine", difference.Engine)
            w.WriteEndObject()

        w.WriteEndArray()
        w.WriteString("before", d.Before)
        w.WriteString("oracle", d.Oracle)
        w.WriteString("engine", d.Engine)
        w.WriteString("code", d.Code)
        w.WriteEndObject()

    let private troubles = [
        Trouble.Refusal
        Trouble.Step
        Trouble.End
        Trouble.Host
        Trouble.Fact
        Trouble.Whole
        Trouble.Collected
        Trouble.Optimizer
        Trouble.Engine
        Trouble.Oracle
        Trouble.Crash
        Trouble.Hang
    ]

    let read (e: JsonElement) : Divergence =
        let text (name: string) = e.GetProperty(name).GetString()

        {
            Trouble = troubles |> List.find (fun t -> string t = text "trouble")
            Level = e.GetProperty("level").GetInt32()
            Step = e.GetProperty("step").GetInt64()
            Rule = text "rule"
            Function = e.GetProperty("function").GetInt32()
            Instruction = e.GetProperty("instruction").GetInt32()
            Differences = [|
                for d in e.GetProperty("differences").EnumerateArray() ->
                    {
                        What = d.GetProperty("what").GetString()
                        Oracle = d.GetProperty("oracle").GetString()
                        Engine = d.GetProperty("engine").GetString()
                    }
            |]
            Before = text "before"
            Oracle = text "oracle"
            Engine = text "engine"
            Code = text "code"
        }

/// What checking one case came to. `Case` is the case as it was run, its gas limit settled.
type Verdict = {
    Case: Case
    /// None when the program loads; else the reason.
    Refusal: string option
    /// The fault's name; "" when the execution completed or never began.
    Fault: string
    /// Gas used by the source.
    Used: int64
    Divergence: Divergence option
}

/// One line of JSON.
[<RequireQualifiedAccess>]
module Line =
    let write (body: Utf8JsonWriter -> unit) =
        use stream = new MemoryStream()

        let options =
            JsonWriterOptions(Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = 5000)

        (use w = new Utf8JsonWriter(stream, options)
         w.WriteStartObject()
         body w
         w.WriteEndObject())

        Encoding.UTF8.GetString(stream.ToArray())
