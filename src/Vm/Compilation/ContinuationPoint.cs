using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>
/// A loop's head, or a call inside a loop, at which a function goes on in a compilation of its own: from there to the end of the iteration, then the loop from its head, and so outwards. In such a
/// continuation every loop is a plain one, and its registers are given to the loop; in the twin, the loop's head is also a way to its inside.
/// </summary>
internal sealed class ContinuationPoint
{
    /// <summary>Instructions that a continuation may have which begins behind a call: a function has many.</summary>
    private const int CallInstructionsMax = 2500;

    /// <summary>Instructions that one may have which begins at a loop. Where a large function spends its time, it does so in a loop.</summary>
    private const int LoopInstructionsMax = 12_000;

    /// <summary>The same for one that is made in the background while the program goes on; how long the JIT takes is bounded by <see cref="Shell.BytesMax"/> then.</summary>
    private const int AsideInstructionsMax = 100_000;

    private ContinuationPoint(FunctionCode code, Site site, int position, int[] open, long instructions, bool isInLoop)
    {
        IsInLoop = isInLoop;
        Instructions = instructions;
        Code = code;
        Site = site;
        Position = position;
        Open = open;
    }

    public FunctionCode Code { get; }

    /// <summary>How many instructions it has, those of the copies of loops included.</summary>
    public long Instructions { get; }

    /// <summary>Whether it begins in a loop, or with one.</summary>
    public bool IsInLoop { get; }

    public Site Site { get; }

    /// <summary>The position of the site's instruction. The continuation begins with a loop, and behind a call.</summary>
    public int Position { get; }

    /// <summary>The positions of the blocks, loops, ifs and tries that are open there, outermost first.</summary>
    public int[] Open { get; }

    /// <summary>Plans the continuation at a site, to be optimised.</summary>
    /// <param name="code">The function.</param>
    /// <param name="site">The site.</param>
    /// <param name="isAside">Whether it is made in the background.</param>
    /// <returns>Null where the twin does as well, or the continuation would be too large.</returns>
    public static ContinuationPoint? At(FunctionCode code, Site site, bool isAside)
    {
        int instructionsMax = site.Kind == SiteKind.Loop ? InstructionsMaxAtLoop(isAside) : CallInstructionsMax;
        return code.Instructions.Length <= instructionsMax && At(code, site) is { IsInLoop: true } point && point.Instructions <= instructionsMax ? point : null;
    }

    /// <summary>Whether there is a continuation at a loop, for one that knows what is open there.</summary>
    /// <param name="code">The function.</param>
    /// <param name="position">The loop.</param>
    /// <param name="around">The positions of the blocks, loops, ifs and tries around it.</param>
    /// <param name="isAside">Whether it is made in the background.</param>
    public static bool IsAtLoop(FunctionCode code, int position, IEnumerable<int> around, bool isAside)
    {
        int instructionsMax = InstructionsMaxAtLoop(isAside);
        return code.Instructions.Length <= instructionsMax && InstructionsFrom(code, position, around) <= instructionsMax;
    }

    /// <summary>Plans the continuation at a site, whatever its size.</summary>
    /// <param name="code">The function.</param>
    /// <param name="site">The site.</param>
    /// <returns>Null where only the twin can be entered.</returns>
    public static ContinuationPoint? At(FunctionCode code, Site site)
    {
        if (site.Kind is not (SiteKind.Loop or SiteKind.Call))
        {
            return null;
        }

        int position = Array.FindIndex(code.Instructions, instruction => instruction.Offset == site.Offset && IsOf(site.Kind, instruction.Opcode));
        if (position < 0)
        {
            return null;
        }

        var open = new List<int>();
        for (int start = 0; start < position; start++)
        {
            if (code.Instructions[start].Opcode.OpensBlock && code.EndOf[start] > position)
            {
                open.Add(start);
            }
        }

        bool isInLoop = site.Kind == SiteKind.Loop || open.Exists(start => code.Instructions[start].Opcode == Opcode.Loop);
        long instructions = InstructionsFrom(code, position, open);
        return new ContinuationPoint(code, site, position, [.. open], instructions, isInLoop);
    }

    private static int InstructionsMaxAtLoop(bool isAside) => isAside ? AsideInstructionsMax : LoopInstructionsMax;

    // With the copies of the loops that are open.
    private static long InstructionsFrom(FunctionCode code, int position, IEnumerable<int> around)
    {
        long instructions = code.Instructions.Length - position;
        foreach (int start in around)
        {
            instructions += code.Instructions[start].Opcode == Opcode.Loop ? code.EndOf[start] - start : 0;
        }

        return instructions;
    }

    private static bool IsOf(SiteKind kind, Opcode opcode) => kind == SiteKind.Loop
        ? opcode == Opcode.Loop
        : opcode.IsCallSite;
}
