namespace Everheap.Crash.Tests;

/// <summary>What a kill waits for before its delay begins.</summary>
internal enum KillTrigger
{
    /// <summary>The start of the process: hits start-up, compilation and any moment of the run.</summary>
    Start,

    /// <summary>A change of the heap file: hits the writing of a checkpoint.</summary>
    HeapWritten,

    /// <summary>New output: hits the moments after a checkpoint, when what it covers is released.</summary>
    OutputReleased,

    /// <summary>The last byte of output: hits the end of the program, and the removal of its file.</summary>
    OutputComplete,
}

/// <summary>A moment at which a process is to be killed.</summary>
/// <param name="Trigger">What to wait for.</param>
/// <param name="Delay">How long to wait then.</param>
internal readonly record struct KillMoment(KillTrigger Trigger, TimeSpan Delay)
{
    // A pipe cannot be asked what it got, so that a piece written to one may be repeated where the kill lands between the write and the note of it
    // (docs/files-and-output.md). A kill that follows the output itself would aim at just that moment: it stays clear of it, also on a busy machine.
    private static readonly TimeSpan PipeClearance = TimeSpan.FromMilliseconds(100);

    /// <summary>Draws a moment.</summary>
    /// <param name="random">Where from.</param>
    /// <param name="output">Where the output goes.</param>
    /// <param name="startUp">About how long a process takes until its guest runs.</param>
    /// <param name="run">About how long the guest may run, at most, before the kill.</param>
    public static KillMoment Draw(Random random, OutputKind output, TimeSpan startUp, TimeSpan run)
    {
        TimeSpan clearance = output == OutputKind.Pipe ? PipeClearance : TimeSpan.Zero;
        return random.Next(100) switch
        {
            < 12 => new(KillTrigger.Start, startUp * random.NextDouble()),
            < 60 => new(KillTrigger.Start, startUp + (run * random.NextDouble())),
            < 78 => new(KillTrigger.HeapWritten, clearance + TimeSpan.FromMilliseconds(random.NextDouble() * 4)),
            < 92 => new(KillTrigger.OutputReleased, clearance + TimeSpan.FromMilliseconds(random.NextDouble() * 4)),
            _ => new(KillTrigger.OutputComplete, clearance + TimeSpan.FromMilliseconds(random.NextDouble() * 8)),
        };
    }
}
