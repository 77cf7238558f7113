using System.Globalization;

namespace Everheap.Media.Tests;

/// <summary>EVERHEAP_TORTURE=long runs much more; EVERHEAP_SEED replays.</summary>
internal static class TestLength
{
    public static bool IsLong => Environment.GetEnvironmentVariable("EVERHEAP_TORTURE") == "long";

    /// <summary>The seed of this run: drawn, unless one is given. Printed by whoever uses it.</summary>
    public static int Seed { get; } = Environment.GetEnvironmentVariable("EVERHEAP_SEED") is { } given
        ? int.Parse(given, CultureInfo.InvariantCulture)
        : Random.Shared.Next();
}
