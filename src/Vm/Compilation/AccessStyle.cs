namespace Everheap.Vm.Compilation;

/// <summary>How a function's memory accesses are compiled.</summary>
internal enum AccessStyle
{
    /// <summary>Translation in line; a miss leaves the function, which goes on in its twin. The fastest, and the largest.</summary>
    Leaving,

    /// <summary>Translation in line; a miss calls and comes back. For functions that would outgrow the JIT's optimiser otherwise.</summary>
    Rejoining,

    /// <summary>Every access is a call. For functions that are larger still.</summary>
    Called,
}

/// <summary>Chooses the style. The JIT gives up optimising above 60,000 bytes of IL, 20,000 instructions, 2,000 blocks or locals.</summary>
internal static class AccessStyles
{
    private const long InstructionsMax = 17_000;
    private const long BlocksMax = 1_800;
    private const long BytesMax = 52_000;

    /// <summary>Chooses the most direct style in which both forms of the function stay below the JIT's limits.</summary>
    public static AccessStyle Choose(FunctionCode code, Liveness liveness)
    {
        long saved = 0;
        long savedAtAccesses = 0;
        for (int position = 0; position < code.Instructions.Length; position++)
        {
            Modules.Opcode opcode = code.Instructions[position].Opcode;
            if (opcode is Modules.Opcode.Loop or Modules.Opcode.Call or Modules.Opcode.CallIndirect)
            {
                saved += liveness.AliveAt(position).Length;
            }
            else if (opcode is >= Modules.Opcode.I32Load and <= Modules.Opcode.I64Store32)
            {
                savedAtAccesses += liveness.AliveAt(position).Length;
            }
        }

        // In the twin each site is saved and restored, which takes about one and four instructions a value.
        long sites = code.CallCount + code.LoopCount;
        long blocks = (sites * 4) + (code.BranchCount * 2);
        long instructions = code.Instructions.Length + (sites * 22) + (saved * 5);
        long bytes = (code.Instructions.Length * 2L) + (sites * 55) + (saved * 11);
        if (blocks + (code.AccessCount * 5L) < BlocksMax
            && instructions + (code.AccessCount * 48L) + (savedAtAccesses * 5) < InstructionsMax
            && bytes + (code.AccessCount * 110L) + (savedAtAccesses * 11) < BytesMax)
        {
            return AccessStyle.Leaving;
        }

        return blocks + (code.AccessCount * 5L) < BlocksMax
            && instructions + (code.AccessCount * 40L) < InstructionsMax
            && bytes + (code.AccessCount * 85L) < BytesMax
            ? AccessStyle.Rejoining
            : AccessStyle.Called;
    }

    /// <summary>Whether a function is small enough for access groups, which take more blocks for less work.</summary>
    public static bool AllowsGroups(FunctionCode code, AccessStyle style) =>
        style == AccessStyle.Leaving
        && ((code.CallCount + code.LoopCount) * 4L) + (code.BranchCount * 2L) + (code.AccessCount * 9L) < BlocksMax
        && code.Instructions.Length + (code.AccessCount * 70L) < InstructionsMax;
}
