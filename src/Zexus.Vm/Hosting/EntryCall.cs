using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// Where an execution begins: a function that captures nothing, and what its parameters get. As in every call, a parameter without an
/// argument is Null, and an argument without a parameter is dropped. Arguments cost no gas.
/// </summary>
/// <param name="Function">Its number in the program.</param>
/// <param name="Arguments">Plain data within the program's limits.</param>
public sealed record EntryCall(int Function, params IReadOnlyList<Data> Arguments)
{
    /// <summary>The first function, which has no parameters.</summary>
    public static EntryCall Main { get; } = new(0);

    /// <summary>The function of a name that an execution can begin in.</summary>
    /// <param name="program">The program.</param>
    /// <param name="name">The function's name in the function table.</param>
    /// <param name="arguments">Plain data within the program's limits.</param>
    /// <exception cref="ArgumentException">There is none, or there are several; the message says which.</exception>
    public static EntryCall Named(Program program, string name, params IReadOnlyList<Data> arguments)
    {
        ArgumentNullException.ThrowIfNull(program);
        int[] found = Named(program, name);
        if (found is [int only])
        {
            return new EntryCall(only, arguments);
        }

        string[] entries =
        [
            .. program
                .Functions.Where(f => f.Captures.Length == 0 && f.Name.Length > 0)
                .Select(f => f.Name)
                .Distinct(StringComparer.Ordinal),
        ];
        throw new ArgumentException(
            found.Length > 1
                ? $"there are {found.Length} functions named \"{name}\": functions {string.Join(", ", found)}"
            : program.Functions.Any(f => f.Name == name)
                ? $"\"{name}\" captures variables of another function, so nothing outside can call it"
            : entries.Length == 0 ? $"there is no function \"{name}\", nor any other that has a name"
            : $"there is no function \"{name}\"; those that can be called are {string.Join(", ", entries)}"
        );
    }

    private static int[] Named(Program program, string name) =>
        [
            .. Enumerable
                .Range(0, program.Functions.Length)
                .Where(f => program.Functions[f].Name == name && program.Functions[f].Captures.Length == 0),
        ];

    internal void Check(ZexusProgram program)
    {
        FunctionDefinition[] functions = program.Image.Functions;
        ArgumentOutOfRangeException.ThrowIfNegative(Function);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(Function, functions.Length);
        if (functions[Function].Captures.Length > 0)
        {
            throw new ArgumentException($"function {Function} captures variables, so no execution can begin in it");
        }

        for (int i = 0; i < Arguments.Count; i++)
        {
            HostData.Check(Arguments[i], program.Limits, $"argument {i + 1}");
        }
    }
}
