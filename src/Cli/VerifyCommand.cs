using System.CommandLine;
using System.Globalization;
using System.Text;
using Everheap.Engine;

namespace Everheap.Cli;

/// <summary><c>everheap verify</c>: walks everything a heap file reaches.</summary>
internal static class VerifyCommand
{
    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        var file = new Argument<string>("FILE") { Description = "The heap file." };
        var repairTo = new Option<string?>("--repair-to")
        {
            HelpName = RepairAction.LastGood,
            Description = "Go back to each damaged heap's newest checkpoint without damage.",
        };
        var command = new Command("verify", "Check every checksum and every reference of a heap file, with all heaps and checkpoints.") { file, repairTo };
        command.SetAction(result => result.GetValue(repairTo) switch
        {
            null => Verify(result.GetRequiredValue(file)),
            RepairAction.LastGood => RepairAction.Run(result.GetRequiredValue(file)),
            var other => throw new CommandException(ExitCode.Usage, $"--repair-to {other}: expected {RepairAction.LastGood}"),
        });
        return command;
    }

    private static int Verify(string path)
    {
        HeapFile.RequireExisting(path);
        VerifyReport report;
        try
        {
            using HeapStore store = HeapStore.Open(path, new HeapStoreOptions { ReadOnly = true });
            HeapFile.ReportSkippedRoots(path, store);
            report = store.Verify();
        }
        catch (HeapCorruptedException exception)
        {
            // Damage that keeps the file from being opened is a finding, like any other.
            using (TextWriter output = PlainOutput.Open())
            {
                output.WriteLine(exception.Message);
            }

            return Conclude(path, 1);
        }

        using (TextWriter output = PlainOutput.Open())
        {
            foreach (VerifyProblem problem in report.Problems)
            {
                output.WriteLine(Describe(problem));
            }

            if (report.ProblemCount > report.Problems.Count)
            {
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"... and {report.ProblemCount - report.Problems.Count} more"));
            }

            if (report.IsSound)
            {
                output.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{path}: sound; commit {report.CommitNumber}, {report.Pages} pages, {report.MapNodes} map nodes, {report.ReachablePages} file pages in use"));
            }
        }

        return report.IsSound ? ExitCode.Success : Conclude(path, report.ProblemCount);
    }

    /// <summary>One line: what, where, what is wrong.</summary>
    private static string Describe(VerifyProblem problem)
    {
        var line = new StringBuilder();
        line.Append(problem.Subject switch
        {
            VerifySubject.Root => "root",
            VerifySubject.Catalog => "catalog",
            VerifySubject.Allocator => "allocator",
            VerifySubject.MapNode => "map node",
            _ => "page",
        });
        if (problem.PageNumber >= 0)
        {
            line.Append(CultureInfo.InvariantCulture, $" {problem.PageNumber}");
        }

        if (problem.HeapName.Length > 0)
        {
            line.Append(CultureInfo.InvariantCulture, $" of heap '{problem.HeapName}'");
        }

        if (problem.CheckpointNumber > 0)
        {
            line.Append(CultureInfo.InvariantCulture, $", checkpoint {problem.CheckpointNumber},");
        }

        if (problem.FileOffset >= 0)
        {
            line.Append(CultureInfo.InvariantCulture, $" at file offset {problem.FileOffset}");
        }

        return line.Append(": ").Append(problem.Message).ToString();
    }

    private static int Conclude(string path, long problems)
    {
        Failure.Line($"{path}: {problems} {(problems == 1 ? "problem" : "problems")} found, listed on standard output; go back behind them with 'everheap verify {path} --repair-to {RepairAction.LastGood}', or restore the file from a copy");
        return ExitCode.ProblemsFound;
    }
}
