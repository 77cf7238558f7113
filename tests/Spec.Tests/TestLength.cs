namespace Everheap.Spec.Tests;

/// <summary>How much the tests of this project run.</summary>
internal static class TestLength
{
    /// <summary>EVERHEAP_TORTURE=long runs much more.</summary>
    public static bool IsLong => Environment.GetEnvironmentVariable("EVERHEAP_TORTURE") == "long";
}
