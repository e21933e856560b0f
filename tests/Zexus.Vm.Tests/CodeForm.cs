using Xunit;

namespace Zexus.Vm.Tests;

/// <summary>Forms of a program: an optimization level, and an r where it is converted to registers.</summary>
internal static class CodeForm
{
    public static readonly string[] Names = ["0", "3", "0r", "3r"];

    /// <summary>Each program in each form.</summary>
    public static TheoryData<string, string> OfEach(IEnumerable<string> programs)
    {
        TheoryData<string, string> all = [];
        foreach (string program in programs)
        {
            foreach (string form in Names)
            {
                all.Add(program, form);
            }
        }

        return all;
    }

    public static ZexusProgram Of(ZexusProgram program, string form)
    {
        TranslatedProgram code = Optimizer.Optimize(program, form[0] - '0').Program;
        return form switch
        {
            "0" => program,
            [_, 'r'] => ZexusProgram.Load(RegisterConverter.Convert(code).Program),
            _ => ZexusProgram.Load(code),
        };
    }
}
