namespace Zexus.Isa

/// Why a program does not load. `docs/semantics.md`, section 1, has the order in which they are looked for.
[<RequireQualifiedAccess>]
type RefusalReason =
    | NoEntry
    | ConstantTooLarge
    | ConstantTooDeep
    | BadString
    | BadNaN
    | BadKey
    | DuplicateVariable
    | TooManyVariables
    | BadEntry
    | UnknownOpcode
    | ReservedOpcode
    | UnspecifiedOpcode
    | OperandOutOfRange
    | JumpOutOfRange
    | NegativeGas
    | UnresolvedCapture
    | StackUnderflow
    | StackOverflow
    | StackMismatch

/// The first problem of a program: the reason, the function (-1 where there is none), and the index within it (of a constant, a name, a variable or an instruction).
type Refusal = {
    Reason: RefusalReason
    Function: int
    Index: int
} with

    /// A sentence for a person: what, where, and what to do.
    member this.Describe(program: Program) =
        let where =
            if this.Function >= 0 && this.Function < program.Functions.Length then
                let name = program.Functions[this.Function].Name
                "function " + string this.Function + (if name = "" then "" else " (" + name + ")")
            else
                "the program"

        let instruction =
            if this.Function >= 0 && this.Function < program.Functions.Length then
                let code = program.Functions[this.Function].Code

                if this.Index >= 0 && this.Index < code.Length then
                    let number = code[this.Index].Number

                    match InstructionSet.TryFind number with
                    | true, info -> info.Mnemonic
                    | false, _ -> "opcode " + string number
                else
                    "the end of the code"
            else
                ""

        let at = where + ", instruction " + string this.Index + " (" + instruction + ")"

        match this.Reason with
        | RefusalReason.NoEntry -> "the function table is empty; function 0 is where a program starts"
        | RefusalReason.ConstantTooLarge -> "constant " + string this.Index + " is larger than the limits allow"
        | RefusalReason.ConstantTooDeep ->
            "constant " + string this.Index + " nests collections deeper than the limits allow"
        | RefusalReason.BadString ->
            (if this.Function >= 0 then
                 where + ", name "
             else
                 "constant or name ")
            + string this.Index
            + " has half of a surrogate pair; text is a sequence of Unicode scalar values"
        | RefusalReason.BadNaN ->
            "constant " + string this.Index + " has a NaN other than 0x7FF8000000000000, the only one there is"
        | RefusalReason.BadKey ->
            "constant "
            + string this.Index
            + " has a Map key or Set element that is no Null, Bool, Int, Float or String, is NaN, or stands there twice"
        | RefusalReason.DuplicateVariable ->
            where + " declares variable " + string this.Index + " under a name that it has already"
        | RefusalReason.TooManyVariables -> where + " has more than " + string Limits.Variables + " variables"
        | RefusalReason.BadEntry ->
            "function 0 has parameters or captures, but nothing calls it: it is where the program starts"
        | RefusalReason.UnknownOpcode -> at + ": no such instruction"
        | RefusalReason.ReservedOpcode ->
            let number = program.Functions[this.Function].Code[this.Index].Number
            let reserved = InstructionSet.Reserved |> Seq.find (fun r -> r.Number = number)
            at + ": " + reserved.Mnemonic + " is reserved: " + reserved.Reason
        | RefusalReason.UnspecifiedOpcode -> at + ": has no rule yet, so no program can use it"
        | RefusalReason.OperandOutOfRange -> at + ": an operand is out of range"
        | RefusalReason.JumpOutOfRange -> at + ": the target is neither an instruction nor the end of the code"
        | RefusalReason.NegativeGas -> at + ": gas cannot be given back"
        | RefusalReason.UnresolvedCapture -> at + ": the named function captures a name that is no variable of this one"
        | RefusalReason.StackUnderflow -> at + ": takes more operands than there are on some path"
        | RefusalReason.StackOverflow -> at + ": leaves more than " + string Limits.OperandStackHeight + " operands"
        | RefusalReason.StackMismatch -> at + ": is reached with different numbers of operands"
