namespace Zexus.Cli;

/// <summary>Did you mean …?</summary>
internal static class Spelling
{
    /// <summary>The candidate that differs least, if one differs little; "" otherwise.</summary>
    public static string Nearest(string word, IEnumerable<string> candidates)
    {
        if (word.Length > 40)
        {
            return "";
        }

        string upper = word.ToUpperInvariant();
        (string Candidate, int Edits) best = ("", Math.Max(1, word.Length / 3) + 1);
        foreach (string candidate in candidates)
        {
            int edits = Distance(upper, candidate.ToUpperInvariant());
            if (edits < best.Edits)
            {
                best = (candidate, edits);
            }
        }

        return best.Candidate;
    }

    /// <summary>Letters put in, left out, changed, or swapped with their neighbour.</summary>
    private static int Distance(string a, string b)
    {
        int[,] table = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            for (int j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    table[i, j] = i + j;
                    continue;
                }

                int change = table[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                int best = Math.Min(change, Math.Min(table[i - 1, j], table[i, j - 1]) + 1);
                bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                table[i, j] = swapped ? Math.Min(best, table[i - 2, j - 2] + 1) : best;
            }
        }

        return table[a.Length, b.Length];
    }
}
