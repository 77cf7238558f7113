using System.Globalization;
using Everheap.Vm.Benchmarks.Children;

namespace Everheap.Vm.Benchmarks.Comparison;

/// <summary>What one run in a child process gave.</summary>
/// <param name="Output">Standard output without the <c>secs=</c> line.</param>
/// <param name="KernelSeconds">The program's own <c>secs=</c> line, or the time of its run where it prints none.</param>
/// <param name="StartupSeconds">From the start of the process to the start of the program: runtime, compilation, heap.</param>
/// <param name="TotalSeconds">The whole process, seen from outside.</param>
/// <param name="PeakKibibytes">The most memory that was resident.</param>
internal sealed record ChildResult(string Output, double KernelSeconds, double StartupSeconds, double TotalSeconds, long PeakKibibytes)
{
    private const string SecondsPrefix = "secs=";

    public static ChildResult Parse(string standardOutput, string standardError, double totalSeconds)
    {
        double startup = 0, run = 0;
        long peak = 0;
        foreach (string line in standardError.Split('\n').Where(line => line.StartsWith(ChildReport.Prefix, StringComparison.Ordinal)))
        {
            foreach (string field in line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                switch (field.Split('='))
                {
                    case ["startup", var value]:
                        startup = ParseSeconds(value);
                        break;
                    case ["run", var value]:
                        run = ParseSeconds(value);
                        break;
                    case ["peak_kib", var value]:
                        peak = long.Parse(value, CultureInfo.InvariantCulture);
                        break;
                }
            }
        }

        string[] lines = standardOutput.Split('\n');
        string? seconds = lines.FirstOrDefault(line => line.StartsWith(SecondsPrefix, StringComparison.Ordinal));
        return new ChildResult(
            string.Join('\n', lines.Where(line => line != seconds)),
            seconds is null ? run : ParseSeconds(seconds[SecondsPrefix.Length..]),
            startup,
            totalSeconds,
            peak);
    }

    private static double ParseSeconds(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
