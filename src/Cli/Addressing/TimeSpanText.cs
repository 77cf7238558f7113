using System.CommandLine;
using System.Globalization;

namespace Everheap.Cli.Addressing;

/// <summary>Lengths of time as people write them: <c>30s</c>, <c>10m</c>, <c>2h</c>, <c>7d</c>.</summary>
internal static class TimeSpanText
{
    /// <summary>What an error says is accepted.</summary>
    public const string Accepted = "a whole number with s, m, h or d (seconds, minutes, hours, days), from 1s to 36500d";

    private const long SecondsMax = 36_500L * 86_400;

    private static readonly (char Suffix, long Seconds)[] Units = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

    /// <summary>Parses a length of time.</summary>
    /// <param name="text">The text.</param>
    /// <param name="time">The length; at least a second.</param>
    /// <returns>Whether it is one.</returns>
    public static bool TryParse(string text, out TimeSpan time)
    {
        time = default;
        foreach ((char suffix, long seconds) in Units)
        {
            if (text.EndsWith(suffix))
            {
                bool isValid = long.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out long count)
                    && count >= 1
                    && count <= SecondsMax / seconds;
                time = isValid ? TimeSpan.FromSeconds(count * seconds) : default;
                return isValid;
            }
        }

        return false;
    }

    /// <summary>A length of time in the largest unit that gives a whole number; what is less than a second is left out.</summary>
    /// <param name="time">The length.</param>
    /// <returns>For example <c>90s</c> or <c>2h</c>.</returns>
    public static string Format(TimeSpan time)
    {
        long total = (long)time.TotalSeconds;
        (char suffix, long seconds) = Array.Find(Units, unit => total % unit.Seconds == 0);
        return string.Create(CultureInfo.InvariantCulture, $"{total / seconds}{suffix}");
    }

    /// <summary>An option that takes a length of time.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="description">What it does.</param>
    /// <returns>The option.</returns>
    public static Option<TimeSpan?> Option(string name, string description) => new(name)
    {
        HelpName = "TIME",
        Description = description,
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (TryParse(text, out TimeSpan time))
            {
                return time;
            }

            result.AddError($"{name} {text}: expected {Accepted}");
            return null;
        },
    };
}
