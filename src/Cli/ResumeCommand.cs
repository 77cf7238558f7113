using System.CommandLine;
using Everheap.Vm;

namespace Everheap.Cli;

/// <summary><c>everheap resume</c>: carries a program on from its last checkpoint.</summary>
internal static class ResumeCommand
{
    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        var file = new Argument<string>("FILE") { Description = "The heap file." };
        var runtime = new RuntimeOptions();
        var command = new Command("resume", "Carry a program on from its last checkpoint.") { file };
        runtime.AddTo(command);
        command.SetAction(result =>
        {
            string heapPath = result.GetRequiredValue(file);
            ProcessOptions options = runtime.Read(result, programName: "", [], [], result.GetValue(runtime.Keep));
            HeapFile.RequireExisting(heapPath);
            using var termination = new Termination();
            Process process = Process.Resume(heapPath, options);
            return Execution.Run(process, heapPath, options.KeepFile || process.KeepFile, termination);
        });
        return command;
    }
}
