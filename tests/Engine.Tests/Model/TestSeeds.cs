using System.Globalization;

namespace Everheap.Engine.Tests.Model;

/// <summary>
/// Where tests take their seeds from: EVERHEAP_SEED replays one, EVERHEAP_TORTURE=long runs many more than the few of a normal run.
/// </summary>
internal static class TestSeeds
{
    private const int LongFactor = 40;

    public static bool IsLong => Environment.GetEnvironmentVariable("EVERHEAP_TORTURE") == "long";

    public static int[] Take(int count)
    {
        string? given = Environment.GetEnvironmentVariable("EVERHEAP_SEED");
        return given is not null
            ? [int.Parse(given, CultureInfo.InvariantCulture)]
            : [.. Enumerable.Range(1, IsLong ? count * LongFactor : count)];
    }
}
