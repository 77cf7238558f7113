namespace Everheap.Samples.Ledger;

/// <summary>What must hold of a ledger at any checkpoint: every entry is the one that was posted, and the balances are what the entries come to.</summary>
internal static class Audit
{
    /// <summary>Goes through a ledger, entry by entry, and adds it all up again.</summary>
    /// <param name="entries">The entries.</param>
    /// <param name="balances">The balances that were kept beside them.</param>
    /// <returns>The sum of all amounts.</returns>
    /// <exception cref="InvalidDataException">Something does not add up.</exception>
    public static long Run(IReadOnlyList<Entry> entries, IReadOnlyList<long> balances)
    {
        long[] expected = new long[Entry.AccountCount];
        long number = 0;
        long turnover = 0;
        foreach (Entry entry in entries)
        {
            if (entry != Entry.Make(number))
            {
                throw new InvalidDataException($"Entry {number} is not what was posted: {entry}.");
            }

            expected[entry.From] -= entry.Amount;
            expected[entry.To] += entry.Amount;
            turnover += entry.Amount;
            number++;
        }

        int account = 0;
        foreach (long balance in balances)
        {
            if (balance != expected[account])
            {
                throw new InvalidDataException($"Account {account} has a balance of {balance}, and its entries come to {expected[account]}.");
            }

            account++;
        }

        return account == Entry.AccountCount ? turnover : throw new InvalidDataException($"There are {account} accounts.");
    }
}
