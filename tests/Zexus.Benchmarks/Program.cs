using BenchmarkDotNet.Running;
using Zexus.Benchmarks;

if (args is [StoreTurns.Command, ..])
{
    StoreTurns.Run(args);
}
else if (args is [StoreBehind.Command, ..])
{
    StoreBehind.Run(args);
}
else
{
    BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
}
