using System.Globalization;

namespace Everheap.Cli;

/// <summary>Sizes as people write them: <c>64MiB</c>, <c>1GiB</c>, <c>512KiB</c>, <c>10MB</c>, <c>4096</c>.</summary>
internal static class ByteSize
{
    /// <summary>What an error says is accepted.</summary>
    public const string Accepted = "a whole number of bytes, or one with KiB, MiB, GiB, TiB (powers of 1024) or kB, MB, GB, TB (powers of 1000)";

    private static readonly (string Suffix, long Factor)[] Units =
    [
        ("KiB", 1L << 10),
        ("MiB", 1L << 20),
        ("GiB", 1L << 30),
        ("TiB", 1L << 40),
        ("KB", 1_000L),
        ("MB", 1_000_000L),
        ("GB", 1_000_000_000L),
        ("TB", 1_000_000_000_000L),
        ("B", 1L),
    ];

    /// <summary>Parses a size. Letter case does not matter, and a space may stand before the unit.</summary>
    /// <param name="text">The text.</param>
    /// <param name="bytes">The size in bytes, at least 0.</param>
    /// <returns>Whether the text is a size that fits in 63 bits.</returns>
    public static bool TryParse(string text, out long bytes)
    {
        ReadOnlySpan<char> digits = text.AsSpan().Trim();
        long factor = 1;
        foreach ((string suffix, long unit) in Units)
        {
            if (digits.EndsWith(suffix, StringComparison.OrdinalIgnoreCase))
            {
                factor = unit;
                digits = digits[..^suffix.Length].TrimEnd();
                break;
            }
        }

        bytes = 0;
        if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long count) ||
            count > long.MaxValue / factor)
        {
            return false;
        }

        bytes = count * factor;
        return true;
    }

    /// <summary>A size for people: at most one decimal, in the largest binary unit that gives at least 1.</summary>
    /// <param name="bytes">The size in bytes.</param>
    /// <returns>For example <c>1.5 MiB</c>, <c>64 KiB</c> or <c>12 B</c>.</returns>
    public static string Format(long bytes)
    {
        for (int index = 3; index >= 0; index--)
        {
            (string suffix, long factor) = Units[index];
            if (bytes >= factor)
            {
                double count = (double)bytes / factor;
                return count.ToString("0.#", CultureInfo.InvariantCulture) + " " + suffix;
            }
        }

        return bytes.ToString(CultureInfo.InvariantCulture) + " B";
    }
}
