using System.Diagnostics.CodeAnalysis;
using Everheap.Measuring.Reports;

namespace Everheap.Engine.Benchmarks;

/// <summary>What may follow <c>--report</c>.</summary>
/// <param name="Only">Names of sections; empty for all.</param>
/// <param name="Documents">Where results are entered; null for nowhere.</param>
internal sealed record Options(IReadOnlyCollection<string> Only, DocumentFolder? Documents)
{
    /// <summary>Reads pairs of a switch and its value.</summary>
    /// <param name="arguments">The pairs.</param>
    /// <param name="names">The names that there are.</param>
    /// <param name="options">What they say.</param>
    /// <returns>False if there is anything else.</returns>
    public static bool TryParse(string[] arguments, IEnumerable<string> names, [NotNullWhen(true)] out Options? options)
    {
        options = new Options([], null);
        for (int i = 0; i < arguments.Length; i += 2)
        {
            string? value = i + 1 < arguments.Length ? arguments[i + 1] : null;
            options = (arguments[i], value) switch
            {
                ("--only", { } list) when list.Split(',').All(names.Contains) => options with { Only = list.Split(',') },
                ("--docs", { } folder) => options with { Documents = new DocumentFolder(folder) },
                _ => null,
            };
            if (options is null)
            {
                return false;
            }
        }

        return true;
    }
}
