namespace Zexus.Isa

open System
open System.Collections.Generic
open System.Text

/// How a program refers to its constants, or to its names.
///
/// The text says `LOAD_CONST 5` and the assembler numbers constants in order of first use. Where that would not give
/// this program's numbers back, all are declared in front, each with its index.
type private PoolText<'T>(items: 'T[], comparer: IEqualityComparer<'T>, text: 'T -> string, used: int64[]) =
    /// Longer ones are not written out twice.
    static let longest = 60

    let texts = Array.map text items

    let first =
        let indexes = Dictionary<'T, int>(comparer)

        for i in 0 .. items.Length - 1 do
            indexes.TryAdd(items[i], i) |> ignore

        items |> Array.map (fun item -> indexes[item])

    let inRange (index: int64) =
        index >= 0L && index < int64 items.Length

    let declared =
        let mutable next = 0
        let mutable inOrder = true

        for index in used do
            if inRange index then
                let index = int index

                if first[index] <> index || index > next || (index < next && texts[index].Length > longest) then
                    inOrder <- false
                elif index = next then
                    next <- next + 1

        not (inOrder && next = items.Length)

    member _.Declarations = if declared then texts else Array.Empty()

    member _.Operand(index: int64) =
        if inRange index && first[int index] = int index && not (declared && texts[int index].Length > longest) then
            texts[int index]
        else
            "#" + string index

/// Writes one program.
type private ProgramText(program: Program) =
    let out = StringBuilder()

    let used kind =
        program.Functions
        |> Array.collect (fun func ->
            func.Code
            |> Array.collect (fun instruction ->
                match InstructionSet.TryFind instruction.Number with
                | true, info ->
                    info.Operands
                    |> Array.mapi (fun i operand -> struct (operand.Kind, Layout.operand instruction i))
                    |> Array.filter (fun (struct (operandKind, _)) -> operandKind = kind)
                    |> Array.map (fun (struct (_, value)) -> value)
                | false, _ -> Array.Empty()))

    let literal value =
        let text = StringBuilder()
        AssemblyText.appendLiteral text value
        text.ToString()

    let constants =
        PoolText<Data>(program.Constants, EqualityComparer.Default, literal, used OperandKind.Constant)

    let names =
        PoolText<string>(program.Names, StringComparer.Ordinal, AssemblyText.name, used OperandKind.Name)

    let firstOfName =
        let indexes = Dictionary<string, int>(StringComparer.Ordinal)

        for i in 0 .. program.Functions.Length - 1 do
            indexes.TryAdd(program.Functions[i].Name, i) |> ignore

        indexes

    let isFirst index =
        firstOfName[program.Functions[index].Name] = index

    let functionOperand (index: int64) =
        let isNamed =
            index >= 0L
            && index < int64 program.Functions.Length
            && isFirst (int index)
            && program.Functions[int index].Name.Length <= 60

        if isNamed then
            AssemblyText.name program.Functions[int index].Name
        else
            "#" + string index

    /// The names of the labels, by instruction; the last is the end of the code.
    let labels (func: FunctionDefinition) =
        let isTarget = Array.create (func.Code.Length + 1) false

        for instruction in func.Code do
            match InstructionSet.TryFind instruction.Number with
            | true, info ->
                for i in 0 .. info.Operands.Length - 1 do
                    let value = Layout.operand instruction i

                    if info.Operands[i].Kind = OperandKind.Target && value >= 0L && value <= int64 func.Code.Length then
                        isTarget[int value] <- true
            | false, _ -> ()

        let mutable count = 0

        isTarget
        |> Array.map (fun target ->
            if target then
                count <- count + 1
                "L" + string count
            else
                "")

    let operand (labels: string[]) kind (value: int64) =
        let within least most (text: string) =
            if value >= least && value <= most then
                text
            else
                "#" + string value

        match kind with
        | OperandKind.Constant -> constants.Operand value
        | OperandKind.Name -> names.Operand value
        | OperandKind.Function -> functionOperand value
        | OperandKind.Target ->
            if value >= 0L && value < int64 labels.Length then
                labels[int value]
            else
                "#" + string value
        | OperandKind.Count -> within 0L 1024L (string value)
        | OperandKind.Results -> within 1L 2L (string value)
        | OperandKind.Register -> within 0L (int64 Limits.Registers - 1L) ("r" + string value)
        | OperandKind.Amount -> within 0L Int64.MaxValue (string value)

    let known labels (info: OpcodeInfo) (instruction: Instruction) =
        if Layout.operandsUsed instruction > info.Operands.Length then
            invalidArg
                "program"
                (info.Mnemonic + " has " + string info.Operands.Length + " operands, and the others must be 0")

        out.Append("    ").Append(info.Mnemonic) |> ignore

        for i in 0 .. info.Operands.Length - 1 do
            out
                .Append(if i = 0 then " " else ", ")
                .Append(operand labels info.Operands[i].Kind (Layout.operand instruction i))
            |> ignore

        out.Append '\n' |> ignore

    let numbered (instruction: Instruction) =
        out.Append("    .op ").Append(instruction.Number) |> ignore

        for i in 0 .. Layout.operandsUsed instruction - 1 do
            out.Append(", ").Append(Layout.operand instruction i) |> ignore

        match InstructionSet.Reserved |> Seq.tryFind (fun row -> row.Number = instruction.Number) with
        | Some row -> out.Append(" ; ").Append(row.Mnemonic).Append(", reserved") |> ignore
        | None -> ()

        out.Append '\n' |> ignore

    let clause (word: string) (variables: string[]) =
        if variables.Length > 0 then
            out
                .Append(' ')
                .Append(word)
                .Append(' ')
                .Append(String.Join(", ", Array.map AssemblyText.variable variables))
            |> ignore

    let header index (func: FunctionDefinition) =
        out.Append ".func " |> ignore

        if not (isFirst index) then
            out.Append('#').Append(index).Append(' ') |> ignore

        out
            .Append(AssemblyText.name func.Name)
            .Append('(')
            .Append(String.Join(", ", Array.map AssemblyText.name func.Parameters))
            .Append(')')
        |> ignore

        clause "locals" func.Locals
        clause "captures" func.Captures
        out.Append '\n' |> ignore

    let label (name: string) =
        if name <> "" then
            out.Append(name).Append(":\n") |> ignore

    let definition index (func: FunctionDefinition) =
        header index func
        let labels = labels func

        for i in 0 .. func.Code.Length - 1 do
            label labels[i]

            match InstructionSet.TryFind func.Code[i].Number with
            | true, info -> known labels info func.Code[i]
            | false, _ -> numbered func.Code[i]

        label labels[func.Code.Length]
        out.Append ".end\n" |> ignore

    let declarations (directive: string) (texts: string[]) =
        for i in 0 .. texts.Length - 1 do
            out.Append(directive).Append(" #").Append(i).Append(' ').Append(texts[i]).Append('\n') |> ignore

        if texts.Length > 0 then
            out.Append '\n' |> ignore

    member _.Write() =
        declarations ".const" constants.Declarations
        declarations ".name" names.Declarations

        for i in 0 .. program.Functions.Length - 1 do
            if i > 0 then
                out.Append '\n' |> ignore

            definition i program.Functions[i]

        out.ToString()

/// A program to the text that a person would write for it, `.zxa`.
[<AbstractClass; Sealed>]
type Disassembler private () =
    /// Assembling the text gives an equal program, and so the same container. Throws ArgumentException for what no
    /// container holds: see `Container.Encode`.
    static member Disassemble(program: Program) : string =
        // The encoder knows what cannot be held, and has a bound on nesting.
        Container.Encode program |> ignore
        ProgramText(program).Write()

    /// A constant as assembly text has it.
    static member Literal(value: Data) : string =
        let out = StringBuilder()
        AssemblyText.appendLiteral out value
        out.ToString()
