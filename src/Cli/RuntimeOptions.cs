using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Everheap.Engine;
using Everheap.Vm;

namespace Everheap.Cli;

/// <summary>The options that <c>run</c> and <c>resume</c> share, and how they are read.</summary>
internal sealed class RuntimeOptions
{
    private static readonly ProcessOptions Defaults = new();

    private const long MillisecondsPerDay = 24 * 60 * 60 * 1000;
    private const long DirtyBytesMin = 64L << 10;

    /// <summary><c>--resident</c>.</summary>
    public Option<long?> Resident { get; } = SizeOption(
        "--resident", $"Memory for the program's pages, however large its heap is (default {ByteSize.Format(Defaults.ResidentBytes)}).", HeapStoreOptions.ResidentBytesMin, HeapStoreOptions.ResidentBytesMax);

    /// <summary><c>--every</c>.</summary>
    public Option<long?> Every { get; } = new("--every")
    {
        HelpName = "MS",
        Description = $"Make a checkpoint every MS milliseconds (default {Defaults.CheckpointInterval.TotalMilliseconds}).",
        CustomParser = ParseMilliseconds,
    };

    /// <summary><c>--dirty</c>.</summary>
    public Option<long?> Dirty { get; } = SizeOption(
        "--dirty", $"Make one sooner when this much has changed (default {ByteSize.Format(Defaults.CheckpointDirtyBytes)}).", DirtyBytesMin, HeapStoreOptions.ResidentBytesMax);

    /// <summary><c>--dir</c>.</summary>
    public Option<DirectoryMapping[]> Directories { get; } = new("--dir")
    {
        HelpName = "HOST::GUEST",
        Description = "Let the program use the folder HOST under the name GUEST; may be repeated.",
        CustomParser = ParseDirectories,
        Arity = ArgumentArity.OneOrMore,
        AllowMultipleArgumentsPerToken = false,
    };

    /// <summary><c>--output</c>.</summary>
    public Option<OutputMode> Output { get; } = new("--output")
    {
        HelpName = "MODE",
        Description = "committed: show output once the checkpoint that covers it is durable, so that none is ever\n" +
            "lost or repeated (default); immediate: show it at once.",
        CustomParser = ParseOutputMode,
    };

    /// <summary><c>--cache</c>.</summary>
    public Option<string?> Cache { get; } = new("--cache")
    {
        HelpName = "DIR",
        Description = $"Keep compiled code in DIR, or nowhere: {CodeCache.Off} (default ${CodeCache.Variable}, or the user's own cache).",
    };

    /// <summary><c>--keep</c>.</summary>
    public Option<bool> Keep { get; } = new("--keep")
    {
        Description = "Keep the heap file when the program has ended.",
    };

    /// <summary>Adds the options to a command.</summary>
    /// <param name="command">The command.</param>
    public void AddTo(Command command)
    {
        command.Add(Keep);
        command.Add(Resident);
        command.Add(Every);
        command.Add(Dirty);
        command.Add(Directories);
        command.Add(Output);
        command.Add(Cache);
    }

    /// <summary>Reads the options into what the virtual machine takes.</summary>
    /// <param name="result">The parsed command line.</param>
    /// <returns>The options.</returns>
    /// <exception cref="CommandException">A folder to be mapped does not exist.</exception>
    public ProcessOptions Read(ParseResult result)
    {
        DirectoryMapping[] directories = result.GetValue(Directories) ?? [];
        foreach (DirectoryMapping mapping in directories)
        {
            if (!Directory.Exists(mapping.HostPath))
            {
                throw new CommandException(ExitCode.File, $"no such folder: {mapping.HostPath} (of --dir); create it, or name another");
            }
        }

        return new ProcessOptions
        {
            Directories = directories,
            Diagnostics = Failure.Line,
            KeepFile = result.GetValue(Keep),
            ResidentBytes = result.GetValue(Resident) ?? Defaults.ResidentBytes,
            CheckpointInterval = result.GetValue(Every) is { } milliseconds ? TimeSpan.FromMilliseconds(milliseconds) : Defaults.CheckpointInterval,
            CheckpointDirtyBytes = result.GetValue(Dirty) ?? Defaults.CheckpointDirtyBytes,
            Output = result.GetValue(Output),
            CodeCache = result.GetValue(Cache) switch
            {
                null => CodeCache.FromEnvironment(),
                CodeCache.Off => null,
                string folder => new CodeCache(folder),
            },
        };
    }

    /// <summary>Parses <c>K=V</c> pairs.</summary>
    /// <param name="result">The option's tokens.</param>
    /// <returns>The pairs, in order.</returns>
    public static KeyValuePair<string, string>[] ParseEnvironment(ArgumentResult result)
    {
        var pairs = new List<KeyValuePair<string, string>>();
        foreach (Token token in result.Tokens)
        {
            int equals = token.Value.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0)
            {
                result.AddError($"--env {token.Value}: expected NAME=VALUE");
                return [];
            }

            pairs.Add(new(token.Value[..equals], token.Value[(equals + 1)..]));
        }

        return [.. pairs];
    }

    private static Option<long?> SizeOption(string name, string description, long minimum, long maximum) => new(name)
    {
        HelpName = "SIZE",
        Description = description,
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (!ByteSize.TryParse(text, out long bytes))
            {
                result.AddError($"{name} {text}: expected {ByteSize.Accepted}");
                return null;
            }

            if (bytes < minimum || bytes > maximum)
            {
                result.AddError($"{name} {text}: expected {ByteSize.Format(minimum)} to {ByteSize.Format(maximum)}");
                return null;
            }

            return bytes;
        },
    };

    private static long? ParseMilliseconds(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long milliseconds) &&
            milliseconds is >= 1 and <= MillisecondsPerDay)
        {
            return milliseconds;
        }

        result.AddError($"--every {text}: expected a whole number of milliseconds from 1 to {MillisecondsPerDay}");
        return null;
    }

    private static OutputMode ParseOutputMode(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        switch (text)
        {
            case "committed":
                return OutputMode.Committed;
            case "immediate":
                return OutputMode.Immediate;
            default:
                result.AddError($"--output {text}: expected committed or immediate");
                return OutputMode.Committed;
        }
    }

    private static DirectoryMapping[] ParseDirectories(ArgumentResult result)
    {
        var mappings = new List<DirectoryMapping>();
        foreach (Token token in result.Tokens)
        {
            int separator = token.Value.IndexOf("::", StringComparison.Ordinal);
            string host = separator < 0 ? token.Value : token.Value[..separator];
            string guest = separator < 0 ? token.Value : token.Value[(separator + 2)..];
            if (host.Length == 0 || guest.Length == 0)
            {
                result.AddError($"--dir {token.Value}: expected HOST::GUEST, for example data::/data");
                return [];
            }

            mappings.Add(new DirectoryMapping(host, guest));
        }

        return [.. mappings];
    }
}
