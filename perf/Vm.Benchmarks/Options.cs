using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Everheap.Measuring.Reports;
using Everheap.Vm.Benchmarks.Reports;

namespace Everheap.Vm.Benchmarks;

/// <summary>How much is measured, and of what.</summary>
internal sealed record Options
{
    /// <summary>Rounds of a full run, where nothing else is said.</summary>
    public const int FullRounds = 3;

    /// <summary>Whether everything is small, to see that it works; the figures then mean nothing.</summary>
    public bool IsSmoke { get; init; }

    /// <summary>How often each peer runs each program; the median counts.</summary>
    public int Rounds { get; init; } = FullRounds;

    /// <summary>Names of sections; empty for all.</summary>
    public IReadOnlyCollection<string> Sections { get; init; } = [];

    /// <summary>Names of programs; empty for all.</summary>
    public IReadOnlyCollection<string> Programs { get; init; } = [];

    /// <summary>Names of peers; empty for all that can be had here.</summary>
    public IReadOnlyCollection<string> Peers { get; init; } = [];

    /// <summary>Where results are entered; null for nowhere.</summary>
    public DocumentFolder? Documents { get; init; }

    /// <summary>Reads pairs of a switch and its value.</summary>
    /// <param name="arguments">The pairs.</param>
    /// <param name="defaults">What holds where they say nothing.</param>
    /// <param name="peerNames">The peers that there are.</param>
    /// <param name="options">What they say.</param>
    /// <returns>False if there is anything else.</returns>
    public static bool TryParse(ReadOnlySpan<string> arguments, Options defaults, IEnumerable<string> peerNames, [NotNullWhen(true)] out Options? options)
    {
        options = defaults;
        for (int i = 0; i < arguments.Length && options is not null; i += 2)
        {
            string? value = i + 1 < arguments.Length ? arguments[i + 1] : null;
            options = (arguments[i], value) switch
            {
                ("--sections", { } list) when list.Split(',').All(Report.Names.Contains) => options with { Sections = list.Split(',') },
                ("--machines", { } list) when list.Split(',').All(peerNames.Contains) => options with { Peers = list.Split(',') },
                ("--only", { } list) => options with { Programs = list.Split(',') },
                ("--rounds", { } text) when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int rounds) && rounds > 0 => options with { Rounds = rounds },
                ("--docs", { } folder) => options with { Documents = new DocumentFolder(folder) },
                _ => null,
            };
        }

        return options is not null;
    }
}
