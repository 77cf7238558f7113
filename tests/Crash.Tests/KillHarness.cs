using System.Diagnostics;
using Everheap.Engine;

namespace Everheap.Crash.Tests;

/// <summary>
/// Runs a program, kills it again and again at drawn moments, resumes it each time, and compares what came out with what an
/// undisturbed run gives. A program that ends before enough kills have landed is started again from the beginning.
/// </summary>
internal sealed class KillHarness
{
    /// <summary>After so many kills a run is left alone to end, so that complete runs are compared often.</summary>
    private const int KillsPerRunMax = 12;

    /// <summary>How often in-process verification follows a kill: every n-th.</summary>
    private const int VerifyEvery = 3;

    private static readonly TimeSpan LongestRun = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(1);
    /// <summary>What a pipe is given at once.</summary>
    private const int PieceBytes = 4096;

    private static readonly TimeSpan TriggerPatience = TimeSpan.FromSeconds(5);

    private readonly KillScenario _scenario;
    private readonly GuestCase _guest;
    private readonly Random _random;
    private readonly TimeSpan _startUp;
    private readonly Dictionary<KillTrigger, int> _killsByTrigger = [];
    private readonly List<string> _story = [];
    private byte[] _piped = [];

    public KillHarness(KillScenario scenario, Random random, TimeSpan startUp)
    {
        _scenario = scenario;
        _guest = scenario.Load();
        _random = random;
        _startUp = startUp;
    }

    /// <summary>Processes that died of SIGKILL.</summary>
    public int Kills { get; private set; }

    /// <summary>Runs that came to their end and were compared.</summary>
    public int CompletedRuns { get; private set; }

    public int Verifications { get; private set; }

    /// <summary>Times that a pipe got a piece once more: at most once for each kill.</summary>
    public int RepeatedPieces { get; private set; }

    /// <summary>Kills and completed runs, for people.</summary>
    public string Summary =>
        $"{Kills} kills ({string.Join(", ", _killsByTrigger.OrderBy(pair => pair.Key).Select(pair => $"{pair.Key} {pair.Value}"))}), " +
        $"{CompletedRuns} complete runs, {Verifications} verifications, {RepeatedPieces} pieces repeated to a pipe";

    /// <summary>Goes on until so many kills have landed and the last run has come to its end.</summary>
    public void KillAtLeast(int kills)
    {
        do
        {
            using var scratch = new ScratchFolder();
            _story.Clear();
            try
            {
                RunToTheEnd(scratch, kills);
            }
            catch (Exception)
            {
                TestContext.Out.WriteLine("what was done to the run that failed:");
                _story.ForEach(TestContext.Out.WriteLine);
                throw;
            }
        }
        while (Kills < kills);
    }

    private void RunToTheEnd(ScratchFolder scratch, int killsWanted)
    {
        List<string> folders = _guest.PrepareFolders(scratch.Path);
        string heapPath = scratch["guest.heap"];
        string outputPath = scratch["stdout"];
        File.WriteAllBytes(outputPath, []);
        _piped = [];
        int killsOfThisRun = 0;
        bool ended = false;
        while (!ended)
        {
            bool resumes = File.Exists(heapPath);
            string[] arguments = resumes
                ? ["resume", heapPath, "--keep", .. _scenario.Options, .. folders]
                : ["run", _guest.ModulePath, "--heap", heapPath, .. _scenario.Options, .. folders, .. _guest.Environment.SelectMany(item => (string[])["--env", item]), "--", .. _guest.Arguments];
            KillMoment? moment = Kills < killsWanted && killsOfThisRun < KillsPerRunMax
                ? KillMoment.Draw(_random, _scenario.Output, _startUp, LongestRun)
                : null;
            using EverheapProcess process = EverheapProcess.Start(
                scratch.Path, arguments, _guest.StandardInputPath, _scenario.Output == OutputKind.File ? outputPath : null);
            if (moment is { } due)
            {
                WaitFor(due, process, heapPath, outputPath);
                process.Kill();
            }

            CommandResult result = process.WaitForEnd();
            _piped = [.. _piped, .. WithoutRepeatedPiece(process.PipedOutput(), killsOfThisRun)];
            _story.Add($"{arguments[0]}, kill at {moment?.ToString() ?? "no moment"}: exit code {result.ExitCode}, output now {OutputSoFar(outputPath).Length} bytes, {result.Error}");
            if (result.ExitCode == EverheapProcess.KilledExitCode)
            {
                Kills++;
                killsOfThisRun++;
                _killsByTrigger[moment!.Value.Trigger] = _killsByTrigger.GetValueOrDefault(moment.Value.Trigger) + 1;
                AssertPrefix(OutputSoFar(outputPath));
                VerifySometimes(heapPath);
            }
            else
            {
                Assert.That(result.ExitCode, Is.EqualTo(_guest.ExitCode), result.Error);
                ended = true;
            }
        }

        AssertSame(OutputSoFar(outputPath), _guest.ExpectedOutput);
        _guest.AssertFiles(scratch.Path);
        CompletedRuns++;
    }

    /// <summary>
    /// A pipe cannot be asked what it got. Where a kill lands between the write of a piece and the note of it, the next process shows that piece once more: exactly that one, and nothing
    /// else (docs/files-and-output.md). Anything else that is repeated or missing is a difference.
    /// </summary>
    private byte[] WithoutRepeatedPiece(byte[] output, int killsBefore)
    {
        if (_scenario.Output != OutputKind.Pipe || killsBefore == 0 || _piped.Length < PieceBytes || output.Length < PieceBytes)
        {
            return output;
        }

        ReadOnlySpan<byte> piece = output.AsSpan(0, PieceBytes);
        ReadOnlySpan<byte> due = _guest.ExpectedOutput.AsSpan(Math.Min(_piped.Length, _guest.ExpectedOutput.Length));
        if (due.StartsWith(piece) || !piece.SequenceEqual(_piped.AsSpan(_piped.Length - PieceBytes)))
        {
            return output;
        }

        RepeatedPieces++;
        return output[PieceBytes..];
    }

    private void WaitFor(KillMoment moment, EverheapProcess process, string heapPath, string outputPath)
    {
        var patience = Stopwatch.StartNew();
        DateTime heapTime = File.GetLastWriteTimeUtc(heapPath);
        long outputLength = OutputLength(process, outputPath);
        int occasions = _random.Next(1, 4);
        while (occasions > 0 && !process.HasExited && patience.Elapsed < TriggerPatience && moment.Trigger != KillTrigger.Start)
        {
            Thread.Sleep(PollInterval);
            switch (moment.Trigger)
            {
                case KillTrigger.HeapWritten when File.GetLastWriteTimeUtc(heapPath) is var time && time != heapTime:
                    heapTime = time;
                    occasions--;
                    break;
                case KillTrigger.OutputReleased when OutputLength(process, outputPath) is var length && length != outputLength:
                    outputLength = length;
                    occasions--;
                    break;
                case KillTrigger.OutputComplete when OutputLength(process, outputPath) >= _guest.ExpectedOutput.Length:
                    occasions = 0;
                    break;
            }
        }

        process.WaitForExit(moment.Delay);
    }

    private void VerifySometimes(string heapPath)
    {
        if (Kills % VerifyEvery != 0 || !File.Exists(heapPath))
        {
            return;
        }

        using HeapStore store = HeapStore.Open(heapPath, new HeapStoreOptions { ReadOnly = true });
        VerifyReport report = store.Verify();
        Assert.That(report.IsSound, string.Join('\n', report.Problems));
        Verifications++;
    }

    private long OutputLength(EverheapProcess process, string outputPath) =>
        _scenario.Output == OutputKind.File ? new FileInfo(outputPath).Length : _piped.Length + process.PipedLength;

    private byte[] OutputSoFar(string outputPath) =>
        _scenario.Output == OutputKind.File ? File.ReadAllBytes(outputPath) : _piped;

    private void AssertPrefix(byte[] output) =>
        AssertSame(output, _guest.ExpectedOutput.AsSpan(0, Math.Min(output.Length, _guest.ExpectedOutput.Length)));

    private static void AssertSame(ReadOnlySpan<byte> actual, ReadOnlySpan<byte> expected)
    {
        int same = actual.CommonPrefixLength(expected);
        if (same != actual.Length || same != expected.Length)
        {
            Assert.Fail(
                $"the output of {actual.Length} bytes differs from the expected {expected.Length} bytes at byte {same}:\n" +
                $"expected: {Excerpt(expected, same)}\nactual:   {Excerpt(actual, same)}");
        }
    }

    private static string Excerpt(ReadOnlySpan<byte> text, int around)
    {
        const int Reach = 80;
        int start = Math.Max(0, around - Reach);
        return System.Text.Json.JsonSerializer.Serialize(System.Text.Encoding.UTF8.GetString(text[start..Math.Min(text.Length, around + Reach)]));
    }
}
