using System.Globalization;

namespace Everheap.Engine.Tests.Model;

/// <summary>
/// Where tests take their seeds from: EVERHEAP_SEED replays one, EVERHEAP_TORTURE=long runs many more than the few of a normal run.
/// </summary>
internal static class TestSeeds
{
    private const int LongFactor = 40;

    /// <summary>How often a long run says how far it has come.</summary>
    private const int ProgressEvery = 10_000;

    public static bool IsLong => Environment.GetEnvironmentVariable("EVERHEAP_TORTURE") == "long";

    /// <summary>In a long run, says now and then how many cases have passed.</summary>
    public static void NoteProgress(long passed)
    {
        if (IsLong && passed % ProgressEvery == 0)
        {
            TestContext.Progress.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{TestContext.CurrentContext.Test.MethodName}: {passed} cases have passed"));
        }
    }

    public static int[] Take(int count)
    {
        string? given = Environment.GetEnvironmentVariable("EVERHEAP_SEED");
        return given is not null
            ? [int.Parse(given, CultureInfo.InvariantCulture)]
            : [.. Enumerable.Range(1, IsLong ? count * LongFactor : count)];
    }
}
