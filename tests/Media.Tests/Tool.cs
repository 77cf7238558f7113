using System.Diagnostics;

namespace Everheap.Media.Tests;

/// <summary>The system's own commands: mkfs, mount and the like.</summary>
internal static class Tool
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    /// <summary>Where a command is; null if it is not installed. Also looks where only root's path leads.</summary>
    public static string? Find(string name) =>
        $"{Environment.GetEnvironmentVariable("PATH")}:/usr/sbin:/sbin"
            .Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, name))
            .FirstOrDefault(File.Exists);

    /// <summary>Runs a command to its end; null if it succeeded, else what it said.</summary>
    public static string? Try(string name, params string[] arguments) => Try(out _, name, arguments);

    /// <summary>Runs a command that has to succeed, and returns what it writes.</summary>
    public static string Run(string name, params string[] arguments) =>
        Try(out string output, name, arguments) is { } failure ? throw new InvalidOperationException(failure) : output;

    private static string? Try(out string written, string name, string[] arguments)
    {
        written = "";
        if (Find(name) is not { } path)
        {
            return $"{name} is not installed";
        }

        using Process process = Start(path, arguments);
        Task<string> error = process.StandardError.ReadToEndAsync();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(Patience))
        {
            process.Kill();
            return $"{name} was still running after {Patience}";
        }

        written = output.Result.Trim();
        return process.ExitCode == 0 ? null : $"{name} {string.Join(' ', arguments)}: exit code {process.ExitCode}: {error.Result.Trim()} {written}";
    }

    /// <summary>Starts a command that goes on until it is ended.</summary>
    public static Process StartInBackground(string name, params string[] arguments)
    {
        Process process = Start(Find(name) ?? throw new InvalidOperationException($"{name} is not installed"), arguments);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private static Process Start(string path, string[] arguments)
    {
        ProcessStartInfo start = new(path, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };

        // Messages are compared and shown: in English.
        start.Environment["LC_ALL"] = "C";
        return Process.Start(start)!;
    }
}
