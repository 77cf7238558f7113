namespace Everheap.Vm.Tests;

/// <summary>How much tests run.</summary>
internal static class TestLength
{
    /// <summary>EVERHEAP_TORTURE=long runs much more.</summary>
    public static bool IsLong => Environment.GetEnvironmentVariable("EVERHEAP_TORTURE") == "long";
}
