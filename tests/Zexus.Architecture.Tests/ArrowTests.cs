using System.Reflection;
using ArchUnitNET.Fluent;
using ArchUnitNET.Loader;
using Xunit;
using static ArchUnitNET.Fluent.ArchRuleDefinition;
using Loaded = ArchUnitNET.Domain.Architecture;

namespace Zexus.Architecture.Tests;

/// <summary>
/// Who may depend on whom. There are no other arrows than these:
/// Spec -> Isa; Vm -> Isa; Chain -> Vm, Isa; Proofs -> Spec, Vm; Differential, the tests and the command line -> all.
/// The engine never calls the spec and the spec never calls the engine: all that they share is the encoding.
/// </summary>
public class ArrowTests
{
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Zexus.Isa"] = [],
        ["Zexus.Spec"] = ["Zexus.Isa"],
        ["Zexus.Vm"] = ["Zexus.Isa"],
        ["Zexus.Chain"] = ["Zexus.Isa", "Zexus.Vm"],
        ["Zexus.Proofs"] = ["Zexus.Isa", "Zexus.Spec", "Zexus.Vm"],
        ["Zexus.Differential"] = ["Zexus.Isa", "Zexus.Spec", "Zexus.Vm", "Zexus.Chain"],
        ["zexus"] = ["Zexus.Isa", "Zexus.Spec", "Zexus.Vm", "Zexus.Chain", "Zexus.Differential", "Zexus.Proofs"],
    };

    private static readonly Dictionary<string, System.Reflection.Assembly> Assemblies = Allowed.Keys.ToDictionary(
        name => name,
        System.Reflection.Assembly.Load
    );

    private static readonly Loaded Solution = new ArchLoader().LoadAssemblies([.. Assemblies.Values]).Build();

    public static TheoryData<string, string> ForbiddenArrows()
    {
        var arrows = new TheoryData<string, string>();
        foreach (var (from, allowed) in Allowed)
        {
            foreach (var to in Allowed.Keys.Where(to => to != from && !allowed.Contains(to)))
            {
                arrows.Add(from, to);
            }
        }
        return arrows;
    }

    /// <summary>No type of one assembly uses a type of another that it has no arrow to.</summary>
    [Theory]
    [MemberData(nameof(ForbiddenArrows))]
    public void No_type_depends_on(string from, string to)
    {
        IArchRule rule = Types()
            .That()
            .ResideInAssembly(Assemblies[from])
            .Should()
            .NotDependOnAny(Types().That().ResideInAssembly(Assemblies[to]))
            .WithoutRequiringPositiveResults();

        var violations = rule.Evaluate(Solution).Where(result => !result.Passed).ToList();

        Assert.True(violations.Count == 0, string.Join(Environment.NewLine, violations.Select(v => v.Description)));
    }

    /// <summary>The same, of the compiled assemblies' reference lists: it sees what inlining leaves behind.</summary>
    [Theory]
    [MemberData(nameof(ForbiddenArrows))]
    public void No_assembly_references(string from, string to) =>
        Assert.DoesNotContain(to, Assemblies[from].GetReferencedAssemblies().Select(name => name.Name));

    /// <summary>The two tests above see every type: an assembly that was not loaded would pass them unseen.</summary>
    [Fact]
    public void Every_assembly_is_looked_at()
    {
        foreach (var (name, assembly) in Assemblies)
        {
            Assert.True(
                Solution.Types.Any(type => type.Assembly.FullName == assembly.FullName),
                $"No type of {name} was loaded."
            );
        }
    }
}
