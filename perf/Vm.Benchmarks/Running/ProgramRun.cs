using System.Diagnostics;
using System.Globalization;
using System.Text;
using Everheap.Vm.Benchmarks.Children;
using Everheap.Vm.Benchmarks.Peers;
using Everheap.Vm.Benchmarks.Programs;
using Everheap.Vm.Tests.Guests;
using HostProcess = System.Diagnostics.Process;

namespace Everheap.Vm.Benchmarks.Running;

/// <summary>Runs programs in fresh processes, each with a scratch folder of its own.</summary>
internal static class ProgramRun
{
    private const string SecondsPrefix = "secs=";
    private static readonly TimeSpan TimeLimit = TimeSpan.FromMinutes(5);

    /// <summary>Runs a program to its end, and checks all that it gave.</summary>
    /// <param name="peer">The peer.</param>
    /// <param name="program">The program.</param>
    /// <param name="cachePath">As <see cref="ChildCommand.CachePath"/>.</param>
    /// <exception cref="InvalidOperationException">It failed, took too long, or gave something else than expected.</exception>
    public static RunResult Run(Peer peer, GuestCase program, string? cachePath = null)
    {
        using var scratch = new ScratchFolder(ProgramSet.WorkFolder);
        IReadOnlyList<DirectoryMapping> directories = MakeDirectories(program, scratch);
        var command = new ChildCommand(program.ModulePath, scratch.FullPath) { Arguments = program.Arguments, Directories = directories, CachePath = cachePath };
        (int exitCode, byte[] output, string error, double total) = RunToEnd(peer.Start(program, command), $"{program.Name} under {peer.Title}", program.StandardInputPath);
        if (ExpectedResults.Difference(program, exitCode, output, directories) is { } difference)
        {
            throw new InvalidOperationException($"{program.Name} under {peer.Title}: {difference} {error.Trim()}");
        }

        return new RunResult(OwnSeconds(program, output) ?? Reported(error, "run"), total, (long)Reported(error, "peak_kib"));
    }

    /// <summary>Runs a marked program until its mark comes out, and ends it there.</summary>
    /// <param name="peer">The peer.</param>
    /// <param name="program">The program, where it is one; for peers that do not run modules.</param>
    /// <param name="modulePath">A module that <see cref="MarkedModule"/> made.</param>
    /// <param name="cachePath">As <see cref="ChildCommand.CachePath"/>.</param>
    /// <exception cref="InvalidOperationException">It printed something else.</exception>
    public static FirstOutput UntilMark(Peer peer, GuestCase? program, string modulePath, string? cachePath = null)
    {
        using var scratch = new ScratchFolder(ProgramSet.WorkFolder);
        var command = new ChildCommand(modulePath, scratch.FullPath)
        {
            Arguments = program?.Arguments ?? [],
            Directories = program is null ? [] : MakeDirectories(program, scratch),
            ShowsOutputAtOnce = true,
            CachePath = cachePath,
        };
        ProcessStartInfo start = Redirected(peer.Start(program, command));
        start.Environment[Peer.MarkVariable] = ((char)MarkedModule.Mark).ToString();
        long started = Stopwatch.GetTimestamp();
        using HostProcess process = HostProcess.Start(start)!;
        process.StandardInput.Close();
        Task<string> error = process.StandardError.ReadToEndAsync();
        int first = process.StandardOutput.BaseStream.ReadByte();
        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        long? peak = ResidentMemory.PeakOf(process);
        process.Kill();
        process.WaitForExit();
        return first == MarkedModule.Mark
            ? new FirstOutput(seconds, peak)
            : throw new InvalidOperationException($"{modulePath} under {peer.Title} printed {first} first, and not its mark: {error.Result.Trim()}");
    }

    /// <summary>Runs a module to its end, whatever it prints, so that its compiled code is kept.</summary>
    /// <exception cref="InvalidOperationException">It took too long.</exception>
    public static void FillCache(Peer peer, string modulePath, string cachePath)
    {
        using var scratch = new ScratchFolder(ProgramSet.WorkFolder);
        RunToEnd(peer.Start(null, new ChildCommand(modulePath, scratch.FullPath) { CachePath = cachePath }), $"{modulePath} under {peer.Title}", null);
    }

    /// <summary>Makes idle instances of a module in one process.</summary>
    /// <returns>Resident memory in KiB.</returns>
    /// <exception cref="InvalidOperationException">They could not be made.</exception>
    public static long MakeInstances(Peer peer, InstanceKind kind, string modulePath, int count)
    {
        using var scratch = new ScratchFolder(ProgramSet.WorkFolder);
        string what = string.Create(CultureInfo.InvariantCulture, $"{count} instances under {peer.Title}");
        var command = new ChildCommand(modulePath, scratch.FullPath) { Instances = count, InstanceKind = kind };
        (int exitCode, _, string error, _) = RunToEnd(peer.Start(null, command), what, null);
        return exitCode == 0 ? (long)Reported(error, "rss_kib") : throw new InvalidOperationException($"{what}: exit code {exitCode}, {error.Trim()}");
    }

    private static (int ExitCode, byte[] Output, string Error, double Seconds) RunToEnd(ProcessStartInfo start, string what, string? inputPath)
    {
        long started = Stopwatch.GetTimestamp();
        using HostProcess process = HostProcess.Start(Redirected(start))!;
        var output = new MemoryStream();
        Task reading = process.StandardOutput.BaseStream.CopyToAsync(output);
        Task<string> error = process.StandardError.ReadToEndAsync();
        Task writing = Feed(process, inputPath);
        if (!process.WaitForExit(TimeLimit))
        {
            process.Kill();
            throw new InvalidOperationException($"{what} was stopped after {TimeLimit.TotalMinutes} minutes");
        }

        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        Task.WaitAll(reading, writing);
        return (process.ExitCode, output.ToArray(), error.Result, seconds);
    }

    // Whoever does not read all of it closes the pipe.
    private static async Task Feed(HostProcess process, string? inputPath)
    {
        await using Stream input = process.StandardInput.BaseStream;
        if (inputPath is not null)
        {
            await input.WriteAsync(await File.ReadAllBytesAsync(inputPath));
        }
    }

    private static ProcessStartInfo Redirected(ProcessStartInfo start)
    {
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        return start;
    }

    private static IReadOnlyList<DirectoryMapping> MakeDirectories(GuestCase program, ScratchFolder scratch) =>
        [.. program.Directories.Select((directory, index) => new DirectoryMapping(scratch.CreateFolder($"dir{index}", directory.From), directory.GuestPath))];

    private static double? OwnSeconds(GuestCase program, byte[] output)
    {
        string? line = program.VaryingLinePrefix != SecondsPrefix
            ? null
            : Encoding.UTF8.GetString(output).Split('\n').FirstOrDefault(line => line.StartsWith(SecondsPrefix, StringComparison.Ordinal));
        return line is null ? null : double.Parse(line.AsSpan(SecondsPrefix.Length), CultureInfo.InvariantCulture);
    }

    // A field of the child's line.
    private static double Reported(string error, string field)
    {
        string? line = error.Split('\n').LastOrDefault(line => line.StartsWith(ChildReport.Prefix, StringComparison.Ordinal));
        string? text = line?.Split(' ').FirstOrDefault(part => part.StartsWith(field + "=", StringComparison.Ordinal));
        return text is null
            ? throw new InvalidOperationException($"a child did not report {field}: {error.Trim()}")
            : double.Parse(text.AsSpan(field.Length + 1), CultureInfo.InvariantCulture);
    }
}
