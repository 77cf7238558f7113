using System.Runtime.InteropServices;

namespace Everheap.Samples.Ledger;

/// <summary>A line of the ledger: an amount that went from one account to another. 32 bytes, so 128 to a page.</summary>
/// <param name="Number">Its place in the ledger, from 0.</param>
/// <param name="From">The account that pays.</param>
/// <param name="To">The account that is paid.</param>
/// <param name="Amount">Above 0.</param>
/// <param name="Purpose">What for.</param>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct Entry(long Number, int From, int To, long Amount, long Purpose)
{
    public const int AccountCount = 100_000;

    /// <summary>The entry that is posted with a number: always the same, so that every run can be checked against what it should have written.</summary>
    public static Entry Make(long number)
    {
        ulong a = Mix((ulong)number);
        ulong b = Mix(a);
        int from = (int)(a % AccountCount);
        int to = (int)((a >> 32) % (AccountCount - 1));
        return new Entry(number, from, to < from ? to : to + 1, (long)(b % 10_000) + 1, (long)(b >> 32));
    }

    private static ulong Mix(ulong value)
    {
        value += 0x9E3779B97F4A7C15;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
