/// Charge lists: their order, their sources, and what their amounts look at.
module Zexus.Spec.Tests.TranslationTests

open Expecto
open Zexus.Isa
open Zexus.Spec
open Zexus.Spec.Tests.Support
open Zexus.Spec.Translation

let private instruction (opcode: Opcode) a source charges = {
    Instruction = {
        Number = InstructionSet.Of(opcode).Number
        A = a
        B = 0L
        C = 0L
    }
    Source = source
    Charges = charges
    JumpCharges = []
}

let private fixedAmount n = Amount.Fixed(Int.ofInt n)

/// The fault's name, or what `main` returns, with the gas used and the source instruction of a fault.
let private outcome limit loaded =
    let s, ending =
        Machine.run (
            Machine.start loaded {
                context with
                    GasLimit = Int.ofInt limit
            }
        )

    match ending with
    | Machine.Ending.Completed value -> sprintf "%A" value, s.GasUsed, -1
    | Machine.Ending.Faulted(fault, _, rule, _, source) -> fault.Name + " " + rule, s.GasUsed, source

let private translated source constants code =
    let source = Support.load (".func main() locals x\n" + source + "\n.end\n")

    match load source (Array.append source.Program.Constants constants) [| code |] with
    | Ok loaded -> source, loaded
    | Error refusal -> failtestf "%s" (refusal.Describe source.Program)

let private sameAtEveryLimit limits (source, loaded) =
    for limit in limits do
        Expect.equal (outcome limit loaded) (outcome limit source) $"at a limit of {limit}"

[<Tests>]
let charges =
    testList "translated code" [
        test "charges in order give each its OutOfGas" {
            translated "LOAD_CONST 41\nLOAD_CONST 1\nADD\nRETURN" [||] [|
                instruction Opcode.LOAD_CONST 0L 0 [ 0, fixedAmount 1 ]
                instruction Opcode.INC 0L 2 [ 1, fixedAmount 1; 2, fixedAmount 3 ]
                instruction Opcode.RETURN 0L 3 [ 3, fixedAmount 2 ]
            |]
            |> sameAtEveryLimit [ 0..8 ]
        }

        test "a fault is the source's, with the source's rule" {
            let pair =
                translated "LOAD_CONST null\nBUILD_LIST 1\nLOAD_CONST 1\nADD\nRETURN" [||] [|
                    instruction Opcode.LOAD_CONST 0L 0 [ 0, fixedAmount 1 ]
                    instruction Opcode.BUILD_LIST 1L 1 [ 1, fixedAmount 6 ]
                    instruction Opcode.INC 0L 3 [ 2, fixedAmount 1; 3, fixedAmount 3 ]
                    instruction Opcode.RETURN 0L 4 [ 4, fixedAmount 2 ]
                |]

            sameAtEveryLimit [ 0..14 ] pair
            let name, _, at = outcome 100 (snd pair)
            Expect.equal (name, at) ("TypeMismatch arith/add", 3) "the fault"
        }

        test "amounts look at the operand stack" {
            let large = "LOAD_CONST " + (1I <<< 200).ToString()

            translated (large + "\nLOAD_CONST 0\nADD\nRETURN") [||] [|
                instruction Opcode.LOAD_CONST 0L 0 [ 0, fixedAmount 1 ]
                instruction Opcode.NOP 0L 2 [ 1, fixedAmount 1; 2, fixedAmount 3; 2, Amount.Size 0 ]
                instruction Opcode.RETURN 0L 3 [ 3, fixedAmount 2 ]
            |]
            |> sameAtEveryLimit [ 0..12 ]

            translated "LOAD_CONST \"eighteen scalars!!\"\nLOAD_CONST \"\"\nADD\nRETURN" [||] [|
                instruction Opcode.LOAD_CONST 0L 0 [ 0, fixedAmount 1 ]
                instruction Opcode.NOP 0L 2 [ 1, fixedAmount 1; 2, fixedAmount 3; 2, Amount.Text 0 ]
                instruction Opcode.RETURN 0L 3 [ 3, fixedAmount 2 ]
            |]
            |> sameAtEveryLimit [ 0..12 ]
        }

        test "amounts look at variables and registers" {
            let large = "LOAD_CONST " + (1I <<< 200).ToString()

            translated (large + "\nSTORE_NAME x\nLOAD_NAME x\nLOAD_CONST 0\nADD\nRETURN") [||] [|
                instruction Opcode.LOAD_CONST 0L 0 [ 0, fixedAmount 1 ]
                instruction Opcode.STORE_NAME 0L 1 [ 1, fixedAmount 3 ]
                instruction Opcode.LOAD_NAME 0L 4 [
                    2, fixedAmount 2
                    3, fixedAmount 1
                    4, fixedAmount 3
                    4, Amount.VariableSize 0
                ]
                instruction Opcode.RETURN 0L 5 [ 5, fixedAmount 2 ]
            |]
            |> sameAtEveryLimit [ 0..16 ]

            translated (large + "\nPOP_REG r1\nPUSH_REG r1\nLOAD_CONST 0\nADD\nRETURN") [||] [|
                instruction Opcode.LOAD_CONST 0L 0 [ 0, fixedAmount 1 ]
                instruction Opcode.POP_REG 1L 1 [ 1, fixedAmount 1 ]
                instruction Opcode.PUSH_REG 1L 4 [
                    2, fixedAmount 1
                    3, fixedAmount 1
                    4, fixedAmount 3
                    4, Amount.RegisterSize 1
                ]
                instruction Opcode.RETURN 0L 5 [ 5, fixedAmount 2 ]
            |]
            |> sameAtEveryLimit [ 0..13 ]
        }

        test "a sum is one charge" {
            let _, loaded =
                translated "LOAD_CONST 1\nRETURN" [||] [|
                    instruction Opcode.LOAD_CONST 0L 0 [ 0, Amount.Sum [ fixedAmount 2; fixedAmount 3 ] ]
                    instruction Opcode.RETURN 0L 1 []
                |]

            Expect.equal (outcome 4 loaded) ("OutOfGas stack/load-const", Int.zero, 0) "nothing of it is taken"
            let _, used, _ = outcome 5 loaded
            Expect.equal used (Int.ofInt 5) "all of it is taken"
        }

        test "a conditional jump charges for one of its ways" {
            let source, loaded =
                // The jump to a jump goes to its target at once, and pays for both.
                translated
                    "LOAD_CONST true\nJUMP_IF_TRUE over\nLOAD_CONST 7\nRETURN\nover:\nJUMP end\nend:\nLOAD_CONST 8\nRETURN" [||] [|
                        instruction Opcode.LOAD_CONST 0L 0 [ 0, fixedAmount 1 ]
                        {
                            instruction Opcode.JUMP_IF_TRUE 4L 1 [ 1, fixedAmount 3 ] with
                                JumpCharges = [ 4, fixedAmount 2 ]
                        }
                        instruction Opcode.LOAD_CONST 1L 2 [ 2, fixedAmount 1 ]
                        instruction Opcode.RETURN 0L 3 [ 3, fixedAmount 2 ]
                        instruction Opcode.LOAD_CONST 2L 5 [ 5, fixedAmount 1 ]
                        instruction Opcode.RETURN 0L 6 [ 6, fixedAmount 2 ]
                    |]

            sameAtEveryLimit [ 0..10 ] (source, loaded)
        }

        test "translated code has the stack discipline" {
            let source = Support.load ".func main()\nLOAD_CONST 1\nRETURN\n.end\n"

            match load source source.Program.Constants [| [| instruction Opcode.POP 0L 0 [] |] |] with
            | Ok _ -> failtest "accepted"
            | Error refusal -> Expect.equal refusal.Reason RefusalReason.StackUnderflow "the reason"
        }
    ]
