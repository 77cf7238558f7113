using Everheap.Cli.Torture.Workers;

namespace Everheap.Cli;

/// <summary>
/// The <c>everheap</c> command. What it promises: an expected failure is one line on standard error that says what, where and what
/// to do; nothing else is ever written to standard output by <c>run</c> and <c>resume</c> than the guest's own output.
/// </summary>
internal static class Program
{
    public static int Main(string[] args)
    {
        try
        {
            if (args is [RunCommand.Name or ResumeCommand.Name, _, ..])
            {
                WarmUp.Begin(args);
            }

            return args is [TortureWorker.Argument] ? TortureWorker.Run() : CommandLine.Invoke(args);
        }
#pragma warning disable CA1031 // The outermost frame: what is not an expected failure is shown in full, as a fault to report.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            return Failure.Report(exception);
        }
    }
}
