using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>How a function's memory accesses are compiled.</summary>
internal enum AccessStyle
{
    /// <summary>For a memory in one piece: base + address, after a bounds check.</summary>
    Contiguous,

    /// <summary>By pages: translation in line; a miss leaves the function, which goes on in its twin. Accesses at fixed distances from each other are translated together.</summary>
    Grouped,

    /// <summary>By pages: translation in line; a miss calls and comes back. For large functions of which no <see cref="Shell"/> can be made, because they have many vectors.</summary>
    Rejoining,

    /// <summary>By pages: every access is a call. For functions so large that the JIT would take too long over anything else.</summary>
    Called,
}

/// <summary>Chooses the style.</summary>
internal static class AccessStyles
{
    // What the JIT takes in may need few locals, and operators of vectors need many.
    private const int VectorsInShellMax = 32;
    private const double PlainBytesMax = 34_000;
    private const double BytesPerRejoiningAccess = 95;

    // Bytes of IL in a twin, which is the larger form: it saves and restores every value at every site. The fast form has four tenths of it.
    private const double BytesMax = 160_000;
    private const double BytesPerInstruction = 2.3;
    private const double BytesPerVectorInstruction = 10;
    private const double BytesPerSite = 75;
    private const double BytesPerSavedValue = 12;
    private const double BytesPerAccess = 220;

    /// <summary>Chooses a function's style.</summary>
    public static AccessStyle Choose(FunctionCode code, Liveness liveness, Addressing addressing)
    {
        if (addressing != Addressing.Paged)
        {
            return AccessStyle.Contiguous;
        }

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

        double bytes = (code.Instructions.Length * BytesPerInstruction) + (code.VectorCount * BytesPerVectorInstruction)
            + ((code.CallCount + code.LoopCount) * BytesPerSite) + (saved * BytesPerSavedValue);
        bool hasManyVectors = code.VectorCount > VectorsInShellMax;
        double bytesMax = hasManyVectors ? PlainBytesMax : BytesMax;
        return bytes + (code.AccessCount * BytesPerAccess) + (savedAtAccesses * BytesPerSavedValue) < bytesMax ? AccessStyle.Grouped
            : hasManyVectors && bytes + (code.AccessCount * BytesPerRejoiningAccess) < bytesMax ? AccessStyle.Rejoining
            : AccessStyle.Called;
    }
}
