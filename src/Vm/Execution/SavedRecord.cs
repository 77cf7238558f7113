using System.Runtime.InteropServices;
using Everheap.Vm.Compilation;

namespace Everheap.Vm.Execution;

/// <summary>
/// The head of a frame that compiled code saved in native memory: after it come the site's values, then the callee's results, in units of 8 bytes: two for a vector, its low half first.
/// Records live from a capture to its end only; what is stored is <see cref="CapturedStack"/>'s form.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SavedRecord
{
    /// <summary>The head's size in bytes.</summary>
    public const int HeadBytes = 24;

    /// <summary>The function's index.</summary>
    public int Function;

    /// <summary>The number of the site within the function.</summary>
    public int Site;

    /// <summary>The record's size in bytes, head included.</summary>
    public int Bytes;

    /// <summary>At a call: 1 if the callee had returned, and its results are in the record.</summary>
    public int CalleeReturned;

    /// <summary>The number of the instance whose function it is.</summary>
    public int Instance;

    /// <summary>Zero: the values that follow are aligned to 8 bytes.</summary>
    public int Reserved;

    /// <summary>Packs a site's number and kind into the one argument that savers take.</summary>
    public static int Pack(int site, SiteKind kind) => (site << 2) | (int)kind;
}
