using System.Diagnostics;
using Everheap.Vm.Benchmarks.Programs;
using HostProcess = System.Diagnostics.Process;

namespace Everheap.Vm.Benchmarks.Comparison;

/// <summary>Runs a program in a fresh process of this same executable, so that no run warms up the next.</summary>
internal static class ChildProcess
{
    /// <summary>The first argument that makes this executable a child.</summary>
    public const string Switch = "--child";

    private static readonly TimeSpan TimeLimit = TimeSpan.FromMinutes(5);

    /// <summary>Runs the program and checks what it printed.</summary>
    /// <exception cref="InvalidOperationException">It failed, took too long, or printed something else than expected.</exception>
    public static ChildResult Run(string machine, GuestProgram program)
    {
        ProcessStartInfo start = StartInfo([Switch, machine, program.ModulePath, .. program.Arguments]);
        long started = Stopwatch.GetTimestamp();
        using HostProcess process = HostProcess.Start(start)!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(TimeLimit))
        {
            process.Kill();
            throw new InvalidOperationException($"{program.Name} under {machine} was stopped after {TimeLimit.TotalMinutes} minutes");
        }

        double total = Stopwatch.GetElapsedTime(started).TotalSeconds;
        ChildResult result = ChildResult.Parse(output.Result, error.Result, total);
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{program.Name} under {machine} exited with {process.ExitCode}: {error.Result.Trim()}");
        }

        if (result.Output != program.ExpectedOutput)
        {
            throw new InvalidOperationException($"{program.Name} under {machine} printed\n{result.Output}instead of\n{program.ExpectedOutput}");
        }

        return result;
    }

    // Under "dotnet run" the process is the app's own host executable; under "dotnet X.dll" it is dotnet, which wants the DLL first.
    private static ProcessStartInfo StartInfo(IEnumerable<string> arguments)
    {
        string host = Environment.ProcessPath!;
        bool isDotnet = Path.GetFileNameWithoutExtension(host).Equals("dotnet", StringComparison.OrdinalIgnoreCase);
        return new ProcessStartInfo(host, isDotnet ? [typeof(ChildProcess).Assembly.Location, .. arguments] : arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
    }
}
