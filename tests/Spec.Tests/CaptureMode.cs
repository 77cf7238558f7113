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

    /// <summary>As <see cref="EverySafepoint"/>, and functions are compiled in a hurry at first, as those of a large module are, and once more when they are called for the second time.</summary>
    EverySafepointByTiers,
}

/// <summary>Decides at every capture whether to go on, and counts.</summary>
internal sealed class CaptureDriver(CaptureMode mode)
{
    // Resuming compiles the module again, so it is done at captures 1, 2, 4, 8, ... of a script, and no more often than this.
    private const int ResumesMax = 64;

    /// <summary>How instances are run.</summary>
    public InstanceOptions Options { get; } = new()
    {
        CaptureEvery = IsCaptured(mode) ? 1 : 0,

        // Each function is a chunk of its own, so that all calls between functions are those between chunks.
        ChunkBytes = IsCaptured(mode) ? 1 : ChunkLayout.ChunkBytes,
        IsAlwaysPaged = mode == CaptureMode.NeverPaged,
        AlternatesAddressing = IsCaptured(mode),
        TieredBytes = mode == CaptureMode.EverySafepointByTiers ? 0 : Tiering.ModuleBytesMin,
        HotCalls = mode == CaptureMode.EverySafepointByTiers ? 2 : Tiering.HotCalls,
    };

    public int Captures { get; private set; }

    public int Resumes { get; private set; }

    /// <summary>Called when the whole stack lies in the heap.</summary>
    /// <returns>Whether to go on with the same instance.</returns>
    public bool GoesOn()
    {
        Captures++;
        if (!IsCaptured(mode) || !BitOperations.IsPow2(Captures) || Resumes >= ResumesMax)
        {
            return true;
        }

        Resumes++;
        return false;
    }

    private static bool IsCaptured(CaptureMode mode) => mode is CaptureMode.EverySafepoint or CaptureMode.EverySafepointByTiers;
}
