using System.Buffers;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>A function's instructions, decoded once, with the structure that later passes ask for.</summary>
internal sealed class FunctionCode
{
    private FunctionCode(Module module, int functionIndex, FunctionBody body, Instruction[] instructions)
    {
        Module = module;
        FunctionIndex = functionIndex;
        Type = module.FunctionTypeOf(functionIndex);
        DeclaredLocalCount = body.Locals.Length;
        Locals = body.Locals;
        BodyStart = body.Start;
        Instructions = instructions;
        EndOf = new int[instructions.Length];
        ElseOf = new int[instructions.Length];
    }

    public Module Module { get; }

    public int FunctionIndex { get; }

    public FunctionType Type { get; }

    /// <summary>The types of the locals, parameters first; behind those that are declared come those that hold caught exceptions.</summary>
    public ValType[] Locals { get; private set; }

    /// <summary>How many locals are declared, parameters included.</summary>
    public int DeclaredLocalCount { get; }

    /// <summary>The offset in the module's bytes of the first instruction.</summary>
    public int BodyStart { get; }

    public Instruction[] Instructions { get; }

    /// <summary>For each block, loop, if, else, try and try_table: the position of its end, or of its delegate.</summary>
    public int[] EndOf { get; }

    /// <summary>For each if: the position of its else, or -1.</summary>
    public int[] ElseOf { get; }

    /// <summary>How many memory accesses the function makes.</summary>
    public int AccessCount { get; private set; }

    /// <summary>How many of them are stores.</summary>
    public int StoreCount { get; private set; }

    /// <summary>How many vector operators it has.</summary>
    public int VectorCount { get; private set; }

    /// <summary>How many calls it makes, those in its own place included.</summary>
    public int CallCount { get; private set; }

    /// <summary>For each try: the positions of its catches, if it has any.</summary>
    public Dictionary<int, List<int>> CatchesOf { get; } = [];

    /// <summary>For each rethrow, and each catch whose exception one throws again: the local that holds the exception.</summary>
    public Dictionary<int, int> CaughtLocalOf { get; } = [];

    /// <summary>How many loops it has.</summary>
    public int LoopCount { get; private set; }

    /// <summary>How many branches and block ends it has.</summary>
    public int BranchCount { get; private set; }

    public static FunctionCode Decode(Module module, int functionIndex)
    {
        FunctionBody body = module.BodyOf(functionIndex);
        var code = new FunctionCode(module, functionIndex, body, ReadInstructions(module, body));
        code.Scan();
        return code;
    }

    // Through a buffer that is kept: as garbage, those of large functions would make the collector run.
    private static Instruction[] ReadInstructions(Module module, FunctionBody body)
    {
        Instruction[] buffer = ArrayPool<Instruction>.Shared.Rent((body.Bytes / 2) + 1);
        int count = 0;
        try
        {
            var reader = new InstructionReader(module.Bytes.Span, body.Start, body.End);
            while (reader.Read(out buffer[count]))
            {
                if (++count == buffer.Length)
                {
                    Instruction[] larger = ArrayPool<Instruction>.Shared.Rent(buffer.Length * 2);
                    buffer.CopyTo(larger, 0);
                    ArrayPool<Instruction>.Shared.Return(buffer, clearArray: true);
                    buffer = larger;
                }
            }

            return buffer[..count];
        }
        finally
        {
            buffer.AsSpan(0, count).Clear();
            ArrayPool<Instruction>.Shared.Return(buffer);
        }
    }

    private void Scan()
    {
        // The open blocks; of a try, the catch that is at hand.
        var open = new List<(int Start, int Catch)>();
        for (int position = 0; position < Instructions.Length; position++)
        {
            ElseOf[position] = -1;
            Opcode opcode = Instructions[position].Opcode;
            switch (opcode)
            {
                case Opcode.Block or Opcode.If or Opcode.Try or Opcode.TryTable:
                    BranchCount += 1 + (Instructions[position].Catches?.Length ?? 0);
                    open.Add((position, -1));
                    break;
                case Opcode.Loop:
                    LoopCount++;
                    open.Add((position, -1));
                    break;
                case Opcode.Else:
                    ElseOf[open[^1].Start] = position;
                    break;
                case Opcode.Catch or Opcode.CatchAll:
                    BranchCount++;
                    open[^1] = open[^1] with { Catch = position };
                    AddCatch(open[^1].Start, position);
                    break;
                case Opcode.Rethrow:
                    CaughtLocalOf[position] = CaughtLocal(open[open.Count - 1 - Instructions[position].Index].Catch);
                    break;
                case Opcode.End or Opcode.Delegate when open.Count > 0:
                    Close(open[^1].Start, position);
                    open.RemoveAt(open.Count - 1);
                    break;
                case Opcode.Br or Opcode.BrIf or Opcode.Return or Opcode.BrOnNull or Opcode.BrOnNonNull:
                    BranchCount++;
                    break;
                case Opcode.BrTable:
                    BranchCount += Instructions[position].Labels!.Length;
                    break;
                case Opcode _ when opcode.IsCall || opcode.IsTailCall:
                    CallCount++;
                    break;
                case Opcode _ when opcode.IsAccess:
                    AccessCount++;
                    StoreCount += opcode.IsStore ? 1 : 0;
                    break;
                case >= Opcode.V128Const and < Opcode.MemoryAtomicNotify or >= Opcode.I8x16RelaxedSwizzle:
                    VectorCount++;
                    break;
            }
        }
    }

    private void AddCatch(int start, int position)
    {
        if (!CatchesOf.TryGetValue(start, out List<int>? catches))
        {
            catches = [];
            CatchesOf.Add(start, catches);
        }

        catches.Add(position);
    }

    private void Close(int start, int position)
    {
        EndOf[start] = position;
        if (ElseOf[start] >= 0)
        {
            EndOf[ElseOf[start]] = position;
        }
    }

    private int CaughtLocal(int catchPosition)
    {
        if (!CaughtLocalOf.TryGetValue(catchPosition, out int local))
        {
            local = Locals.Length;
            Locals = [.. Locals, ValType.ExnRef];
            CaughtLocalOf.Add(catchPosition, local);
        }

        return local;
    }
}
