using System.Diagnostics;

namespace Everheap.Engine.Benchmarks.Children;

/// <summary>Runs one of <see cref="ChildCommands"/> in a fresh process of this same executable, so that nothing of one run is left in the next.</summary>
internal static class ChildProcess
{
    /// <summary>The first argument that makes this executable a child.</summary>
    public const string Switch = "--child";

    private static readonly TimeSpan TimeLimit = TimeSpan.FromMinutes(10);

    /// <summary>Runs a command.</summary>
    /// <param name="command">Its name and arguments.</param>
    /// <param name="limit">The memory that it may have; null for no limit.</param>
    /// <param name="wrapper">A program, with its arguments, that is to run the child, such as a tracer.</param>
    /// <exception cref="InvalidOperationException">It took too long.</exception>
    public static ChildResult Run(IEnumerable<string> command, MemoryLimit? limit = null, IEnumerable<string>? wrapper = null)
    {
        ProcessStartInfo start = StartInfo(command, limit, wrapper);
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(TimeLimit))
        {
            process.Kill(entireProcessTree: true);
            throw new InvalidOperationException($"A child was stopped after {TimeLimit.TotalMinutes} minutes: {string.Join(' ', start.ArgumentList)}");
        }

        return new ChildResult(process.ExitCode, output.Result, error.Result.Trim());
    }

    /// <summary>How a child is started: its streams are redirected.</summary>
    public static ProcessStartInfo StartInfo(IEnumerable<string> command, MemoryLimit? limit = null, IEnumerable<string>? wrapper = null)
    {
        string host = Environment.ProcessPath!;
        bool isDotnet = Path.GetFileNameWithoutExtension(host).Equals("dotnet", StringComparison.OrdinalIgnoreCase);
        List<string> line = [.. wrapper ?? [], host];
        if (isDotnet)
        {
            // Under "dotnet run" the process is the app's own host executable; under "dotnet X.dll" it is dotnet, which wants the DLL first.
            line.Add(typeof(ChildProcess).Assembly.Location);
        }

        line.AddRange([Switch, .. command]);
        if (limit is not null)
        {
            // The shell joins the group and then becomes the child: so the runtime sees its limit from its first moment on.
            line.InsertRange(0, ["/bin/sh", "-c", "echo $$ > \"$0\" && exec \"$@\"", limit.MembersPath]);
        }

        return new ProcessStartInfo(line[0], line.Skip(1))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
    }
}
