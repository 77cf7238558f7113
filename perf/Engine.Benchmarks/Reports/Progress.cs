using System.Diagnostics;
using System.Globalization;
using Everheap.Engine.Benchmarks.Measuring;

namespace Everheap.Engine.Benchmarks.Reports;

/// <summary>Tells whoever waits for a long report what is being done, on standard error.</summary>
internal static class Progress
{
    private static readonly long Start = Stopwatch.GetTimestamp();

    public static void Tell(string what)
    {
        if (!Sizes.IsSmoke)
        {
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Stopwatch.GetElapsedTime(Start).TotalSeconds:0} s: {what}"));
        }
    }
}
