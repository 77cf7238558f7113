using System.Numerics;
using Everheap.Vm.Compilation;
using Everheap.Vm.Execution;

namespace Everheap.Spec.Tests;

/// <summary>How a script's code is run.</summary>
internal enum CaptureMode
{
    /// <summary>As any program is whose memory fits its budget.</summary>
    Never,

    /// <summary>As any program is whose memory does not fit its budget.</summary>
    NeverPaged,

    /// <summary>
    /// The stack is captured into the heap at every safepoint, and taken up again: at some of these by another instance, which is resumed
    /// from the heap. The memory is reached in one piece and by pages by turns.
    /// </summary>
    EverySafepoint,
}

/// <summary>Decides at every capture whether to go on, and counts.</summary>
internal sealed class CaptureDriver(CaptureMode mode)
{
    // Resuming compiles the module again, so it is done at captures 1, 2, 4, 8, ... of a script, and no more often than this.
    private const int ResumesMax = 64;

    /// <summary>How instances are run.</summary>
    public InstanceOptions Options { get; } = new()
    {
        CaptureEvery = mode == CaptureMode.EverySafepoint ? 1 : 0,

        // Each function is a chunk of its own, so that all calls between functions are those between chunks.
        ChunkBytes = mode == CaptureMode.EverySafepoint ? 1 : ChunkLayout.ChunkBytes,
        IsAlwaysPaged = mode == CaptureMode.NeverPaged,
        AlternatesAddressing = mode == CaptureMode.EverySafepoint,
    };

    public int Captures { get; private set; }

    public int Resumes { get; private set; }

    /// <summary>Called when the whole stack lies in the heap.</summary>
    /// <returns>Whether to go on with the same instance.</returns>
    public bool GoesOn()
    {
        Captures++;
        if (mode != CaptureMode.EverySafepoint || !BitOperations.IsPow2(Captures) || Resumes >= ResumesMax)
        {
            return true;
        }

        Resumes++;
        return false;
    }
}
