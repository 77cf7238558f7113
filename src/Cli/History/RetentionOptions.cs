using System.CommandLine;
using System.Globalization;
using Everheap.Cli.Addressing;
using Everheap.Engine;

namespace Everheap.Cli.History;

/// <summary>The options that say which checkpoints a heap keeps, for <c>run</c> and <c>retain</c>.</summary>
internal sealed class RetentionOptions
{
    /// <summary><c>--keep-last</c>.</summary>
    public Option<int?> KeepLast { get; } = new("--keep-last")
    {
        HelpName = "N",
        Description = "Retain the last N checkpoints, so that they can be forked or gone back to.",
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count is >= 1 and <= RetentionPolicy.KeepLastMax)
            {
                return count;
            }

            result.AddError(string.Create(CultureInfo.InvariantCulture, $"--keep-last {text}: expected a whole number from 1 to {RetentionPolicy.KeepLastMax}"));
            return null;
        },
    };

    /// <summary><c>--keep-for</c>.</summary>
    public Option<TimeSpan?> KeepFor { get; } = TimeSpanText.Option("--keep-for", "Retain those that are younger than TIME: 30s, 10m, 2h, 7d.");

    /// <summary>Adds the options to a command.</summary>
    /// <param name="command">The command.</param>
    public void AddTo(Command command)
    {
        command.Add(KeepLast);
        command.Add(KeepFor);
    }

    /// <summary>Reads the options.</summary>
    /// <param name="result">The parsed command line.</param>
    /// <param name="present">The policy that what was not given is taken from.</param>
    /// <returns>The policy; null if neither option was given.</returns>
    public RetentionPolicy? Read(ParseResult result, RetentionPolicy present)
    {
        int? last = result.GetValue(KeepLast);
        TimeSpan? time = result.GetValue(KeepFor);
        return last is null && time is null
            ? null
            : present with { KeepLast = last ?? present.KeepLast, KeepFor = time ?? present.KeepFor };
    }

    /// <summary>A policy for people.</summary>
    /// <param name="policy">The policy.</param>
    /// <returns>For example <c>keeps the last 10, and what is younger than 2h</c>.</returns>
    public static string Describe(RetentionPolicy policy)
    {
        string last = policy.KeepLast == 1 ? "keeps the latest" : string.Create(CultureInfo.InvariantCulture, $"keeps the last {policy.KeepLast}");
        return policy.KeepFor == TimeSpan.Zero ? last : $"{last}, and what is younger than {TimeSpanText.Format(policy.KeepFor)}";
    }
}
