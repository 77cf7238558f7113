using System.Diagnostics;
using System.Globalization;

namespace Everheap.Measuring.Reports;

/// <summary>Tells whoever waits for a long report what is being done, on standard error.</summary>
internal static class Progress
{
    private static readonly long Start = Stopwatch.GetTimestamp();

    /// <summary>Whether nothing is told, as in a run of seconds.</summary>
    public static bool IsSilent { get; set; }

    public static void Tell(string what)
    {
        if (!IsSilent)
        {
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Stopwatch.GetElapsedTime(Start).TotalSeconds:0} s: {what}"));
        }
    }
}
