using System.Numerics;

namespace Everheap.Spec.Tests;

/// <summary>How a script's code is run.</summary>
internal enum CaptureMode
{
    /// <summary>As any program is.</summary>
    Never,

    /// <summary>
    /// The stack is captured into the heap at every safepoint, and taken up again: at some of these by another instance, which is resumed
    /// from the heap.
    /// </summary>
    EverySafepoint,
}

/// <summary>Decides at every capture whether to go on, and counts.</summary>
internal sealed class CaptureDriver(CaptureMode mode)
{
    // Resuming compiles the module again, so it is done at captures 1, 2, 4, 8, ... of a script, and no more often than this.
    private const int ResumesMax = 64;

    /// <summary>Between how many safepoints the stack is captured; 0 for never.</summary>
    public int CaptureEvery => mode == CaptureMode.Never ? 0 : 1;

    public int Captures { get; private set; }

    public int Resumes { get; private set; }

    /// <summary>Called when the whole stack lies in the heap.</summary>
    /// <returns>Whether to go on with the same instance.</returns>
    public bool GoesOn()
    {
        Captures++;
        if (mode == CaptureMode.Never || !BitOperations.IsPow2(Captures) || Resumes >= ResumesMax)
        {
            return true;
        }

        Resumes++;
        return false;
    }
}
