using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>How a function's memory accesses are compiled.</summary>
internal enum AccessStyle
{
    /// <summary>The memory lies in one piece: base + address, after a bounds check. The only one beside <see cref="Called"/> for such a memory, and for no other.</summary>
    Contiguous,

    /// <summary>As <see cref="Leaving"/>, and accesses off one local are translated together.</summary>
    Grouped,

    /// <summary>Translation in line; a miss leaves the function, which goes on in its twin.</summary>
    Leaving,

    /// <summary>Translation in line; a miss calls and comes back. For functions that would outgrow the JIT's optimiser otherwise.</summary>
    Rejoining,

    /// <summary>Every access is a call. For functions that are larger still.</summary>
    Called,
}

/// <summary>
/// Chooses the style: the fastest in which the JIT still optimises the function. It gives up above 60,000 bytes of IL, 20,000 instructions or
/// 2,000 blocks; in practice the code made here passes one of these at about 38,000 bytes (measured on SQLite's functions).
/// </summary>
internal static class AccessStyles
{
    private const double BytesMax = 34_000;

    // Bytes of IL in a twin, which is the larger form: it saves and restores every value at every site.
    private const double BytesPerInstruction = 2.3;
    private const double BytesPerSite = 75;
    private const double BytesPerSavedValue = 12;

    /// <summary>Chooses a function's style.</summary>
    public static AccessStyle Choose(FunctionCode code, Liveness liveness, Addressing addressing)
    {
        long saved = 0;
        long savedAtAccesses = 0;
        for (int position = 0; position < code.Instructions.Length; position++)
        {
            Opcode opcode = code.Instructions[position].Opcode;
            if (opcode is Opcode.Loop or Opcode.Call or Opcode.CallIndirect or Opcode.MemoryGrow)
            {
                saved += liveness.AliveAt(position).Length;
            }
            else if (opcode is >= Opcode.I32Load and <= Opcode.I64Store32)
            {
                savedAtAccesses += liveness.AliveAt(position).Length;
            }
        }

        double bytes = (code.Instructions.Length * BytesPerInstruction) + ((code.CallCount + code.LoopCount) * BytesPerSite) + (saved * BytesPerSavedValue);
        if (addressing == Addressing.Contiguous)
        {
            return bytes + (code.AccessCount * BytesPerAccess(AccessStyle.Contiguous)) < BytesMax ? AccessStyle.Contiguous : AccessStyle.Called;
        }

        for (AccessStyle style = AccessStyle.Grouped; style < AccessStyle.Called; style++)
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
        AccessStyle.Contiguous => 40,
        AccessStyle.Grouped => 220,
        AccessStyle.Leaving => 145,
        _ => 95,
    };
}
