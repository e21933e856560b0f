using System.Text;
using System.Text.Unicode;
using Zexus.Isa;

namespace Zexus.Cli.Files;

/// <summary>A program from a file: a container by its first bytes or its extension, else assembly text.</summary>
internal sealed class ProgramFile
{
    private ProgramFile(string name, Program program, AssemblyResult? assembly)
    {
        Name = name;
        Program = program;
        Assembly = assembly;
    }

    /// <summary>What messages call it.</summary>
    public string Name { get; }

    public Program Program { get; }

    /// <summary>Null for what came from a container.</summary>
    private AssemblyResult? Assembly { get; }

    private static ReadOnlySpan<byte> Magic => "ZXB\0"u8;

    public static ProgramFile Read(string path, Terminal terminal)
    {
        byte[] bytes = InputFile.Read(path, terminal);
        string name = InputFile.Shown(path);
        return bytes.AsSpan().StartsWith(Magic) || path.EndsWith(".zxb", StringComparison.OrdinalIgnoreCase)
            ? Decode(bytes, name)
            : Assemble(bytes, name);
    }

    /// <summary>`function 0 (main), instruction 3, sum.zxa:12`: the last only for what was assembled from text.</summary>
    public string Place(int function, int instruction)
    {
        string name = Program.Functions[function].Name;
        string place = name == "" ? $"function {function}" : $"function {function} ({Terminal.Printable(name)})";
        place +=
            instruction < Program.Functions[function].Code.Length
                ? $", instruction {instruction}"
                : ", the end of the code";
        return Line(function, instruction) is int line ? $"{place}, {Name}:{line}" : place;
    }

    /// <summary>Of the text that the program was assembled from.</summary>
    public int? Line(int function, int instruction) =>
        instruction <= Program.Functions[function].Code.Length ? Assembly?.LineOf(function, instruction) : null;

    private static ProgramFile Decode(byte[] bytes, string name)
    {
        if (!Container.TryDecode(bytes, out Program program, out ContainerError error))
        {
            string hint = bytes.AsSpan().StartsWith(Magic)
                ? "The file is damaged, or was written by something else; make it again with './zexus asm'."
                : "A .zxb file is what './zexus asm' writes; text belongs into a .zxa file.";
            throw Problem.File($"{name}: {error.Message}", hint);
        }

        return new ProgramFile(name, program, null);
    }

    private static ProgramFile Assemble(byte[] bytes, string name)
    {
        if (bytes is [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..])
        {
            throw Problem.File($"{name}: this is UTF-16 text", "Save it as UTF-8.");
        }

        if (!Utf8.IsValid(bytes))
        {
            throw NotText(bytes, name);
        }

        AssemblyResult result = Assembler.Assemble(Encoding.UTF8.GetString(bytes), name);
        if (!result.Succeeded)
        {
            int count = result.Diagnostics.Count;
            string problems = count == 1 ? "1 problem" : count + (count >= 20 ? " problems or more" : " problems");
            throw new Problem(ExitCode.BadFile, $"{name} does not assemble: {problems}")
            {
                Details = [.. result.Diagnostics.Select(d => d.ToString())],
            };
        }

        return new ProgramFile(name, result.Program, result);
    }

    private static Problem NotText(byte[] bytes, string name)
    {
        int offset = 0;
        int line = 1;
        while (
            Rune.DecodeFromUtf8(bytes.AsSpan(offset), out Rune rune, out int length)
            == System.Buffers.OperationStatus.Done
        )
        {
            line += rune.Value == '\n' ? 1 : 0;
            offset += length;
        }

        string hint = bytes.AsSpan().Contains((byte)0)
            ? "It looks like a binary file. A container begins with the bytes 5A 58 42 00."
            : "Assembly text is UTF-8.";
        return Problem.File($"{name}:{line}: byte {offset} (0x{offset:X}), 0x{bytes[offset]:X2}, is not UTF-8", hint);
    }
}
