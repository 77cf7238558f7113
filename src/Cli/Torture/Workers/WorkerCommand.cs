using System.Diagnostics;

namespace Everheap.Cli.Torture.Workers;

/// <summary>How this same program is started once more.</summary>
/// <param name="FileName">The file to start.</param>
/// <param name="Arguments">What stands before the command's own arguments.</param>
internal sealed record WorkerCommand(string FileName, IReadOnlyList<string> Arguments)
{
    /// <summary>As this process was started.</summary>
    public static WorkerCommand Current()
    {
        string file = Environment.ProcessPath ?? throw new PlatformNotSupportedException("The system does not say which file this process was started from.");
        bool isHost = Path.GetFileNameWithoutExtension(file).Equals("dotnet", StringComparison.OrdinalIgnoreCase);
        return new WorkerCommand(file, isHost ? [Environment.GetCommandLineArgs()[0]] : []);
    }

    /// <summary>What starts it with arguments.</summary>
    /// <param name="arguments">The command's own.</param>
    public ProcessStartInfo Start(params IEnumerable<string> arguments) => new(FileName, [.. Arguments, .. arguments])
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
        UseShellExecute = false,
    };
}
