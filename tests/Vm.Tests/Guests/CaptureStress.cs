namespace Everheap.Vm.Tests.Guests;

/// <summary>
/// How often the stress runs capture the stack: at every safepoint where the program is small enough, else at every n-th.
/// The numbers are primes, so that they fall out of step with the programs' loops, and such that a case takes a second or so.
/// </summary>
internal static class CaptureStress
{
    // A capture and its resumption take about 10 microseconds; a second of computing passes some hundred million safepoints.
    private const int UsualInterval = 1009;
    private const int LongInterval = 100_003;

    private static readonly Dictionary<string, int> Intervals = new()
    {
        ["hello small"] = 1,
        ["maze small"] = 1,
        ["words small"] = 101,
        ["records small"] = 101,
        ["deep small"] = 101,
        ["minigzip unpack"] = 10_007,
        ["counter small"] = 10_007,
    };

    /// <summary>
    /// Whether a case is left out of the usual stress run: large ones use so much memory that they take minutes under it; of the applications SQLite goes a long way, with the largest functions, and the others a short one.
    /// </summary>
    public static bool IsTooLong(GuestCase guest) => !TestLength.IsLong && guest.Name is
        "bigsort default" or "bigmap default" or "records large" or "garden default" or "ledger default" or "lua default" or "roads default";

    /// <summary>The interval for a case.</summary>
    public static int Every(GuestCase guest)
    {
        bool isLong = guest.Name.Split(' ')[^1] is "default" or "deeper" or "large" or "medium" or "pack";
        return Intervals.GetValueOrDefault(guest.Name, isLong ? LongInterval : UsualInterval);
    }
}
