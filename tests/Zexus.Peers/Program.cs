namespace Zexus.Peers;

internal static class Program
{
    private static int Main(string[] arguments) =>
        arguments switch
        {
            [StartUp.Hello] => Hello(),
            [Worker.Command, string peer, string kernel] => Worker.Serve(peer, kernel),
            _ => BenchCommand.Run(arguments),
        };

    private static int Hello()
    {
        Console.WriteLine("hello");
        return 0;
    }
}
