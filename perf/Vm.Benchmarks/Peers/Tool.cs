using System.ComponentModel;
using System.Diagnostics;

namespace Everheap.Vm.Benchmarks.Peers;

/// <summary>Programs of the system that are asked something.</summary>
internal static class Tool
{
    /// <summary>Runs a tool.</summary>
    /// <returns>The first line that it printed; null if it is not installed, or failed.</returns>
    public static string? TryRun(string name, params string[] arguments)
    {
        try
        {
            using var tool = System.Diagnostics.Process.Start(new ProcessStartInfo(name, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            Task<string> error = tool.StandardError.ReadToEndAsync();
            string output = tool.StandardOutput.ReadToEnd();
            tool.WaitForExit();
            error.Wait();
            return tool.ExitCode == 0 ? output.Split('\n')[0].Trim() : null;
        }
        catch (Win32Exception)
        {
            return null;
        }
    }
}
