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
        Locals = body.Locals;
        BodyStart = body.Start;
        Instructions = instructions;
        EndOf = new int[instructions.Length];
        ElseOf = new int[instructions.Length];
    }

    public Module Module { get; }

    public int FunctionIndex { get; }

    public FunctionType Type { get; }

    /// <summary>The types of the locals, parameters first.</summary>
    public ValType[] Locals { get; }

    /// <summary>The offset in the module's bytes of the first instruction.</summary>
    public int BodyStart { get; }

    public Instruction[] Instructions { get; }

    /// <summary>For each block, loop, if and else: the position of its end.</summary>
    public int[] EndOf { get; }

    /// <summary>For each if: the position of its else, or -1.</summary>
    public int[] ElseOf { get; }

    /// <summary>How many memory accesses the function makes.</summary>
    public int AccessCount { get; private set; }

    /// <summary>How many of them are stores.</summary>
    public int StoreCount { get; private set; }

    /// <summary>How many calls it makes.</summary>
    public int CallCount { get; private set; }

    /// <summary>How many loops it has.</summary>
    public int LoopCount { get; private set; }

    /// <summary>How many branches and block ends it has.</summary>
    public int BranchCount { get; private set; }

    public static FunctionCode Decode(Module module, int functionIndex)
    {
        FunctionBody body = module.Bodies[functionIndex - module.ImportedFunctionCount];
        var instructions = new List<Instruction>((body.End - body.Start) / 2);
        var reader = new InstructionReader(module.Bytes.Span, body.Start, body.End);
        while (reader.Read(out Instruction instruction))
        {
            instructions.Add(instruction);
        }

        var code = new FunctionCode(module, functionIndex, body, [.. instructions]);
        code.Scan();
        return code;
    }

    private void Scan()
    {
        var open = new Stack<int>();
        for (int position = 0; position < Instructions.Length; position++)
        {
            ElseOf[position] = -1;
            Opcode opcode = Instructions[position].Opcode;
            switch (opcode)
            {
                case Opcode.Block or Opcode.If:
                    BranchCount++;
                    open.Push(position);
                    break;
                case Opcode.Loop:
                    LoopCount++;
                    open.Push(position);
                    break;
                case Opcode.Else:
                    ElseOf[open.Peek()] = position;
                    break;
                case Opcode.End when open.Count > 0:
                    int start = open.Pop();
                    EndOf[start] = position;
                    if (ElseOf[start] >= 0)
                    {
                        EndOf[ElseOf[start]] = position;
                    }

                    break;
                case Opcode.Br or Opcode.BrIf or Opcode.Return:
                    BranchCount++;
                    break;
                case Opcode.BrTable:
                    BranchCount += Instructions[position].Labels!.Length;
                    break;
                case Opcode.Call or Opcode.CallIndirect:
                    CallCount++;
                    break;
                case Opcode when MemoryAccess.IsAccess(opcode):
                    AccessCount++;
                    StoreCount += MemoryAccess.IsStore(opcode) ? 1 : 0;
                    break;
            }
        }
    }
}
