using Zexus.Chain;

namespace Zexus.Cli.Demo;

/// <summary>A copy of a store with one bit changed: what does `verify` say of it?</summary>
/// <param name="Offset">Where in chain.db.</param>
/// <param name="Problem">Null when nothing was found, which is a bug.</param>
internal sealed record DamagedCopy(long Offset, string? Problem)
{
    private const string Database = "chain.db";

    /// <param name="directory">A store that nobody has open.</param>
    /// <param name="head">That of the ledger after some entry: a bit of it is changed.</param>
    public static DamagedCopy Of(string directory, Digest head)
    {
        string copy = Directory.CreateTempSubdirectory("zexus-copy-").FullName;
        try
        {
            foreach (string file in Directory.EnumerateFiles(directory))
            {
                File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
            }

            byte[] bytes = File.ReadAllBytes(Path.Combine(copy, Database));
            int offset = bytes.AsSpan().IndexOf(Convert.FromHexString(head.ToString()));
            bytes[offset] ^= 1;
            File.WriteAllBytes(Path.Combine(copy, Database), bytes);
            try
            {
                using DurableStore store = DurableStore.Open(copy);
                return new DamagedCopy(offset, store.Verify().Problem);
            }
            catch (StoreException e)
            {
                return new DamagedCopy(offset, e.Message);
            }
        }
        finally
        {
            Directory.Delete(copy, recursive: true);
        }
    }
}
