namespace Zexus.Cli;

/// <summary>The tree that this program was built in: it has the vectors and the examples.</summary>
internal static class Repository
{
    /// <summary>Null when the program was copied elsewhere.</summary>
    public static string? Root()
    {
        for (string? folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "Zexus.Spec.sln")))
            {
                return folder;
            }
        }

        return null;
    }
}
