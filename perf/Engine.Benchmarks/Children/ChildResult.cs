using System.Globalization;

namespace Everheap.Engine.Benchmarks.Children;

/// <summary>What a child left.</summary>
/// <param name="ExitCode">0 if all went well.</param>
/// <param name="Output">Lines of <c>name=number</c>.</param>
/// <param name="Error">What it complained of.</param>
internal sealed record ChildResult(int ExitCode, string Output, string Error)
{
    private const int KilledExitCode = 128 + 9;

    /// <summary>Whether it was ended by SIGKILL: by itself, or for want of memory.</summary>
    public bool WasKilled => ExitCode == KilledExitCode;

    /// <summary>Whether it ended for want of memory: the system ended it, or the runtime gave up.</summary>
    public bool WantedMoreMemory => WasKilled || (ExitCode != 0 && Error.Contains("Out of memory", StringComparison.OrdinalIgnoreCase)) || Error.Contains("OutOfMemoryException", StringComparison.Ordinal);

    /// <summary>The numbers it reported.</summary>
    /// <exception cref="InvalidOperationException">It did not end well.</exception>
    public IReadOnlyDictionary<string, double> Figures => ExitCode == 0
        ? Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split('=', 2))
            .ToDictionary(parts => parts[0], parts => double.Parse(parts[1], CultureInfo.InvariantCulture))
        : throw new InvalidOperationException($"A child exited with {ExitCode}: {Error}");

    /// <summary>One line of a child's output.</summary>
    public static string Line(string name, double value) => string.Create(CultureInfo.InvariantCulture, $"{name}={value:R}");
}
