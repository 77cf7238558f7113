using System.Globalization;
using Everheap.Engine;
using Everheap.Vm;

namespace Everheap.Cli;

/// <summary>
/// Several programs of one store, running side by side: each on a thread of its own, with its own memory, checkpoints and output files. What becomes of one is
/// nothing to the others.
/// </summary>
internal static class ProgramGroup
{
    /// <summary>Runs programs until the last of them has ended or was stopped.</summary>
    /// <param name="store">Their store.</param>
    /// <param name="heapPath">The store's file, as the user calls it.</param>
    /// <param name="names">Their heaps.</param>
    /// <param name="options">How each is run.</param>
    /// <param name="folder">Where their outputs go.</param>
    /// <param name="termination">The signals; they stop all of them.</param>
    /// <returns>The exit code: of a signal; else of the first, in this order, that did not end with 0; else 0.</returns>
    public static int Run(HeapStore store, string heapPath, string[] names, ProcessOptions options, string folder, Termination termination)
    {
        var members = new List<Member>();
        try
        {
            foreach (string name in names)
            {
                members.Add(Member.Open(store, name, options, folder));
            }

            Thread[] threads = [.. members.Select(member => new Thread(() => member.Run(termination)) { Name = $"Everheap {member.Name}" })];
            Array.ForEach(threads, thread => thread.Start());
            Array.ForEach(threads, thread => thread.Join());
        }
        finally
        {
            members.ForEach(member => member.Dispose());
        }

        int[] codes = [.. members.Select(member => member.Conclude(store, heapPath, termination))];
        Leftovers.Remove(store, heapPath, [.. members.Where(member => member.IsDone && !(member.IsKept || Leftovers.AreRetained(store, member.Name))).Select(member => member.Name)]);
        return termination.SignalExitCode != 0 ? termination.SignalExitCode : codes.FirstOrDefault(code => code != ExitCode.Success);
    }

    private sealed class Member(string name, Process process, OutputFiles files, bool isKept) : IDisposable
    {
        private ProcessOutcome? _outcome;
        private Exception? _failure;

        public string Name => name;

        public bool IsKept => isKept;

        /// <summary>Whether the program has ended, so that nothing is to be resumed.</summary>
        public bool IsDone => _outcome is { State: not ProcessState.Suspended };

        public static Member Open(HeapStore store, string name, ProcessOptions options, string folder)
        {
            OutputFiles files = OutputFiles.Open(folder, name);
            try
            {
                Process process = Process.Resume(store, options with
                {
                    HeapName = name,
                    StandardInput = Stream.Null,
                    StandardOutput = files.Output,
                    StandardError = files.Error,
                    Diagnostics = line => Failure.Line($"{name}: {line}"),
                });
                return new Member(name, process, files, options.KeepFile || process.KeepFile);
            }
            catch
            {
                files.Dispose();
                throw;
            }
        }

        public void Run(Termination termination)
        {
            try
            {
                _outcome = process.Run(termination.Suspend);
            }
#pragma warning disable CA1031 // Told when all have come to their ends: the others go on.
            catch (Exception exception)
#pragma warning restore CA1031
            {
                _failure = exception;
            }
        }

        /// <summary>Says how it went.</summary>
        public int Conclude(HeapStore store, string heapPath, Termination termination)
        {
            if (_failure is not null)
            {
                return Failure.Report(_failure, name);
            }

            switch (_outcome!.State)
            {
                case ProcessState.Suspended:
                    Failure.Line($"{name}: stopped, the program is kept in {heapPath}; go on with: {ResumeCommand.LineFor(store, heapPath, name)}");
                    return termination.SignalExitCode;
                case ProcessState.Trapped:
                    RunningProgram.ReportTrap(_outcome.Trap!, name);
                    return ExitCode.Trap;
                default:
                    Failure.Line(string.Create(CultureInfo.InvariantCulture, $"{name}: ended with exit code {_outcome.ExitCode}"));
                    return _outcome.ExitCode;
            }
        }

        public void Dispose()
        {
            process.Dispose();
            files.Dispose();
        }
    }
}
