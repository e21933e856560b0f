using System.Globalization;
using Microsoft.Win32.SafeHandles;
using Zexus.Chain;

namespace Zexus.Crashes;

/// <summary>The process that commits: it goes on with the workload where the store stands, and says the number of the last execution of each block once that is acknowledged.</summary>
internal static class Writer
{
    public const string Command = "writer";

    /// <summary>How many executions the block after this one has; the same whoever asks.</summary>
    public static int BlockAfter(long number) => 1 + (int)(number * 31 % 4);

    public static int Run(string folder, long until)
    {
        // The console's own stream writes to a copy of the descriptor, which the record could not tell from other pipes.
        using FileStream output = new(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
        using DurableStore store = File.Exists(Path.Combine(folder, "chain.db"))
            ? DurableStore.Open(folder)
            : DurableStore.Create(folder);
        // Pages of the tree are written every few blocks, and the log is brought into the database and begun anew, so that the power goes
        // off around that, too.
        store.PagesAfter = 20;
        store.LogPages(40);
        Say(store.Head.Number);
        while (store.Head.Number < until)
        {
            long number = store.Head.Number;
            store.Commit([.. Enumerable.Range(1, BlockAfter(number)).Select(i => Workload.Execution(number + i))]);
            Say(store.Head.Number);
            if (store.Head.Number % 64 == 0)
            {
                store.Prune(store.Head.Number - 32);
            }
        }

        return 0;

        void Say(long number) =>
            output.Write(System.Text.Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture) + "\n"));
    }

    /// <summary>Null when a store that was opened after a crash holds what it should; else what is wrong.</summary>
    /// <param name="store">The store.</param>
    /// <param name="acknowledged">The last number that the writer said.</param>
    /// <param name="model">At or before the store; it is advanced to it.</param>
    public static string? Wrong(DurableStore store, long acknowledged, Model model)
    {
        long number = store.Head.Number;
        long most = acknowledged + BlockAfter(acknowledged);
        if (number != acknowledged && number != most)
        {
            return $"it has {number} executions; {acknowledged} were acknowledged, and the next block ends at {most}";
        }

        model.AdvanceTo(number);
        return store.Verify().Problem ?? model.Difference(store);
    }
}
