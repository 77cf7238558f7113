using System.Diagnostics;
using System.Globalization;

namespace Everheap.Cli.Torture.Stages;

/// <summary>Runs a program by the command itself, kills it again and again, and resumes it: what it prints must be exactly what an undisturbed run prints.</summary>
/// <param name="context">What the stages share.</param>
/// <param name="random">Where from.</param>
internal sealed class GuestStage(TortureContext context, Random random)
{
    private const int KilledExitCode = 128 + 9;
    private const string Shell = "/bin/sh";

    /// <summary>Appends to a file, as <c>&gt;&gt;</c> does: a file can be asked what it got, so that not one line may be lost or repeated.</summary>
    private const string Script = "exec \"$@\" >>\"$EVERHEAP_TORTURE_OUTPUT\" </dev/null";

    private const string OutputVariable = "EVERHEAP_TORTURE_OUTPUT";
    private const int NumbersMax = 16_000_000;

    /// <summary>So long a run may be left alone before it is killed, at most.</summary>
    private static readonly TimeSpan RunMax = TimeSpan.FromMilliseconds(900);

    private static readonly TimeSpan EndPatience = TimeSpan.FromMinutes(2);

    private readonly string _heap = context["guest.heap"];
    private readonly string _output = context["guest.out"];
    private readonly string _module = context["guest.wasm"];

    /// <summary>Whether output can be redirected to a file here.</summary>
    public static bool IsAvailable { get; } = File.Exists(Shell);

    /// <summary>The heap of the program.</summary>
    public string HeapPath => _heap;

    /// <summary>One program, from its start to its end.</summary>
    public void Run()
    {
        int lines = random.Next(15, 60);
        int span = NumbersMax / lines / 2 * 2;
        int kills = random.Next(2, 6);
        File.Delete(_heap);
        File.WriteAllBytes(_output, []);
        PrimesProgram.WriteModule(_module);
        string expected = PrimesProgram.Output(lines, span);
        while (!context.IsStopped)
        {
            string[] arguments = File.Exists(_heap)
                ? ["resume", _heap, "--keep", "--every", "10", "--resident", "2MiB"]
                : ["run", _module, "--heap", _heap, "--every", "10", "--resident", "2MiB", "--", lines.ToString(CultureInfo.InvariantCulture), span.ToString(CultureInfo.InvariantCulture)];
            if (Live(arguments, isKilled: kills > 0 && !context.IsOver))
            {
                Compare(expected, isComplete: true);
                context.Tally.Add(Tally.Count.GuestRuns);
                context.Tally.Add(Tally.Count.GuestLines, lines);
                break;
            }

            kills--;
            Compare(expected, isComplete: false);
        }

        File.Delete(_heap);
        File.Delete(_output);
        File.Delete(_module);
    }

    /// <summary>Starts the command, and kills it.</summary>
    /// <returns>Whether the program has come to its end.</returns>
    private bool Live(string[] arguments, bool isKilled)
    {
        ProcessStartInfo command = context.Command.Start(arguments);
        var start = new ProcessStartInfo(Shell, ["-c", Script, "sh", command.FileName, .. command.ArgumentList])
        {
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        start.Environment[OutputVariable] = _output;
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string moment = isKilled ? WaitForMoment(process) : "";
        if (isKilled)
        {
            process.Kill();
        }

        if (!process.WaitForExit(EndPatience))
        {
            process.Kill();
            throw new TortureFailure($"'everheap {arguments[0]}' did not end within {EndPatience.TotalSeconds} seconds");
        }

        string said = error.GetAwaiter().GetResult();
        switch (process.ExitCode)
        {
            case 0:
                return true;
            case KilledExitCode when isKilled:
                context.Tally.AddKill(moment);
                context.Tally.Add(Tally.Count.GuestKills);
                return false;
            case ExitCode.Interrupted when context.IsStopped:
                return false;
            default:
                throw new TortureFailure(string.Create(CultureInfo.InvariantCulture, $"'everheap {arguments[0]}' ended with exit code {process.ExitCode}: {said}"));
        }
    }

    /// <summary>Waits for the moment of the kill: any, or just after the program has been seen to print.</summary>
    private string WaitForMoment(Process process)
    {
        var watch = Stopwatch.StartNew();
        TimeSpan time = RunMax * random.NextDouble();
        bool isAimed = random.Next(2) == 0;
        long length = new FileInfo(_output).Length;
        while (watch.Elapsed < time && !process.HasExited)
        {
            Thread.Sleep(1);
            if (isAimed && new FileInfo(_output).Length != length)
            {
                StoreSession.Wait(TimeSpan.FromMilliseconds(3 * random.NextDouble()));
                return "as a program prints";
            }
        }

        return "while a program runs";
    }

    private void Compare(string expected, bool isComplete)
    {
        string output = File.ReadAllText(_output);
        int length = isComplete ? expected.Length : Math.Min(output.Length, expected.Length);
        if (!output.AsSpan().SequenceEqual(expected.AsSpan(0, length)))
        {
            int same = output.AsSpan().CommonPrefixLength(expected);
            throw new TortureFailure(string.Create(
                CultureInfo.InvariantCulture,
                $"the program printed {output.Length} characters, of {expected.Length} in all, and differs at {same}: '{Excerpt(output, same)}' for '{Excerpt(expected, same)}'"));
        }
    }

    private static string Excerpt(string text, int from) => text.Substring(from, Math.Min(60, text.Length - from)).ReplaceLineEndings(" ");
}
