using Xunit;

namespace Zexus.Vm.Tests;

public class SmokeTests
{
    [Fact]
    public void The_projects_are_linked() => Assert.Contains("Zexus.Vm", Placeholder.Name, StringComparison.Ordinal);
}
