using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>How a function's memory accesses are compiled.</summary>
internal enum AccessStyle
{
    /// <summary>For a memory in one piece: base + address, after a bounds check.</summary>
    Contiguous,

    /// <summary>As <see cref="Leaving"/>, and accesses off one local are translated together.</summary>
    Grouped,

    /// <summary>Translation in line; a miss leaves the function, which goes on in its twin.</summary>
    Leaving,

    /// <summary>Translation in line; a miss calls and comes back. For functions that would outgrow the JIT's optimiser otherwise.</summary>
    Rejoining,

    /// <summary>Every access is a call. For functions that are larger still, of either memory.</summary>
    Called,
}

/// <summary>
/// Chooses the style: the fastest in which the JIT still optimises the function. It gives up above 60,000 bytes of IL, 20,000 instructions,
/// 2,000 blocks or 8,000 references to locals and arguments. The code made here passes the last of these first, by pages at about 38,000 bytes (measured on SQLite's functions).
/// </summary>
internal static class AccessStyles
{
    private const double BytesMax = 34_000;

    // Bytes of IL in a twin, which is the larger form: it saves and restores every value at every site.
    private const double BytesPerInstruction = 2.3;
    private const double BytesPerVectorInstruction = 10;
    private const double BytesPerSite = 75;
    private const double BytesPerSavedValue = 12;

    // References to locals, fitted to which of SQLite's functions the JIT gave up on where the memory is in one piece: all above, none below.
    private const double ReferencesMax = 8_600;
    private const double ReferencesPerInstruction = 0.75;
    private const double ReferencesPerCall = 4;
    private const double ReferencesPerAccess = 8;
    private const double ReferencesPerStore = 5;
    private const double ReferencesPerCalledAccess = 5;

    /// <summary>Chooses a function's style.</summary>
    public static AccessStyle Choose(FunctionCode code, Liveness liveness, Addressing addressing)
    {
        long saved = 0;
        long savedAtAccesses = 0;
        for (int position = 0; position < code.Instructions.Length; position++)
        {
            Opcode opcode = code.Instructions[position].Opcode;
            if (opcode == Opcode.Loop || opcode.IsCallSite)
            {
                saved += liveness.AliveAt(position).Length;
            }
            else if (opcode.IsAccess)
            {
                savedAtAccesses += liveness.AliveAt(position).Length;
            }
        }

        if (addressing != Addressing.Paged)
        {
            double references = (code.Instructions.Length * ReferencesPerInstruction) + (code.CallCount * ReferencesPerCall) + saved;
            bool fits = references + (code.AccessCount * ReferencesPerAccess) + (code.StoreCount * ReferencesPerStore) < ReferencesMax;

            // What the JIT does not optimise either way is faster without the calls.
            return !fits && references + (code.AccessCount * ReferencesPerCalledAccess) < ReferencesMax ? AccessStyle.Called : AccessStyle.Contiguous;
        }

        double bytes = (code.Instructions.Length * BytesPerInstruction) + (code.VectorCount * BytesPerVectorInstruction)
            + ((code.CallCount + code.LoopCount) * BytesPerSite) + (saved * BytesPerSavedValue);
        bool isWide = code.Module.Memories.Count > 0 && code.Module.Memories[0].Is64;
        for (AccessStyle style = isWide ? AccessStyle.Leaving : AccessStyle.Grouped; style < AccessStyle.Called; style++)
        {
            double accesses = code.AccessCount * BytesPerAccess(style);
            if (bytes + accesses + (style < AccessStyle.Rejoining ? savedAtAccesses * BytesPerSavedValue : 0) < BytesMax)
            {
                return style;
            }
        }

        return AccessStyle.Called;
    }

    private static double BytesPerAccess(AccessStyle style) => style switch
    {
        AccessStyle.Grouped => 220,
        AccessStyle.Leaving => 145,
        _ => 95,
    };
}
