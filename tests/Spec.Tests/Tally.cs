using System.Globalization;

namespace Everheap.Spec.Tests;

/// <summary>What became of a script's commands.</summary>
internal sealed class Tally
{
    private readonly SortedDictionary<string, int> _passed = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, int> _leftOut = new(StringComparer.Ordinal);

    public List<string> Failures { get; } = [];

    /// <summary>How many commands were left out, by reason.</summary>
    public IReadOnlyDictionary<string, int> LeftOut => _leftOut;

    /// <summary>How many commands passed, by kind.</summary>
    public IReadOnlyDictionary<string, int> Passed => _passed;

    public void Pass(string command) => _passed[command] = _passed.GetValueOrDefault(command) + 1;

    public void LeaveOut(string reason) => _leftOut[reason] = _leftOut.GetValueOrDefault(reason) + 1;

    public void Fail(int line, string what) => Failures.Add($"line {line}: {what}");

    public override string ToString()
    {
        string text = string.Create(CultureInfo.InvariantCulture, $"{_passed.Values.Sum()} passed ({Join(_passed)}), {Failures.Count} failed");
        return _leftOut.Count == 0 ? text : $"{text}, {_leftOut.Values.Sum()} left out ({Join(_leftOut)})";
    }

    private static string Join(SortedDictionary<string, int> counts) =>
        string.Join(", ", counts.Select(pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Key} {pair.Value}")));
}
