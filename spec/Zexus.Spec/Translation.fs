/// Code that a translator made from the code of a program, to be run in its place: docs/semantics.md, section 10.
/// Nothing here says that the translation is right; that is what proofs and checks are for.
module Zexus.Spec.Translation

open Zexus.Isa

/// An instruction of translated code. Operands are those of its opcode; a target is an index into the translated code.
type TranslatedInstruction = {
    Instruction: Instruction
    /// The instruction of the source function that it acts for: its faults are reported as that one's.
    Source: int
    /// What it charges before it acts, in order, instead of its own static charge, and for which instruction of the source function.
    Charges: (int * Amount) list
    /// A conditional jump: what it charges when it jumps.
    JumpCharges: (int * Amount) list
}

let private ruleOf (source: LoadedFunction) (index: int) =
    if index < source.Code.Length then
        source.Code[index].Rule
    else
        invalidArg (nameof index) ($"The source function has no instruction {index}.")

let private chargesOf (source: LoadedFunction) (charges: (int * Amount) list) = [
    for index, amount in charges ->
        {
            Source = index
            Rule = ruleOf source index
            Amount = amount
        }
]

let private install (source: LoadedFunction) (translated: TranslatedInstruction[]) (loaded: LoadedFunction) = {
    loaded with
        Definition = source.Definition
        IsShared = source.IsShared
        Code =
            Array.map2
                (fun (i: TranslatedInstruction) instruction -> {
                    instruction with
                        Source = i.Source
                        Rule = ruleOf source i.Source
                        Charges = chargesOf source i.Charges
                        JumpCharges = chargesOf source i.JumpCharges
                })
                translated
                loaded.Code
}

/// A loaded program with translated code: one function for each of the source, constants that begin with the source's.
/// It has the stack discipline of any program, or is refused.
let load (source: Loaded) (constants: Data[]) (functions: TranslatedInstruction[][]) : Result<Loaded, Refusal> =
    let program = {
        source.Program with
            Constants = constants
            Functions =
                Array.map2
                    (fun (f: LoadedFunction) (code: TranslatedInstruction[]) -> {
                        f.Definition with
                            Code = code |> Array.map _.Instruction
                    })
                    source.Functions
                    functions
    }

    Validation.validate source.Limits program
    |> Result.map (fun loaded -> {
        loaded with
            Program = {
                source.Program with
                    Constants = constants
            }
            Functions = Array.map3 install source.Functions functions loaded.Functions
    })
