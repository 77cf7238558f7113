using Everheap.Vm.Modules;

namespace Everheap.Vm.Execution;

/// <content>Instantiation: globals, tables, and active segments, in the specification's order (core specification, section 4.5.4).</content>
internal sealed unsafe partial class Instance
{
    /// <summary>Fills what the module declares: everything but what runs code.</summary>
    /// <exception cref="WasmTrapException">An active segment does not fit its table or memory. What was written before it stays.</exception>
    public void Initialize()
    {
        for (int index = 0; index < Module.GlobalDeclarations.Count; index++)
        {
            UInt128 value = Evaluate(Module.GlobalDeclarations[index].Initializer);
            int global = Module.ImportedGlobalCount + index;
            GlobalUnits(global)[0] = (ulong)value;
            if (Module.Globals[global].ValueType.Units > 1)
            {
                GlobalUnits(global)[1] = (ulong)(value >> 64);
            }
        }

        for (int index = Module.ImportedTableCount; index < _tables.Length; index++)
        {
            TableDeclaration declaration = Module.TableDeclarations[index - Module.ImportedTableCount];
            ulong initial = declaration.Initializer is ConstantExpression expression ? (ulong)Evaluate(expression) : 0;
            if (_tables[index].Grow(declaration.Type.Limits.Minimum, initial) is null)
            {
                throw new LinkException($"table {index} of the module has {declaration.Type.Limits.Minimum:N0} elements at first; a table may have {Table.ElementsMax:N0}");
            }
        }

        for (int index = 0; index < Module.Elements.Count; index++)
        {
            ElementSegment segment = Module.Elements[index];
            if (segment.Mode == SegmentMode.Active)
            {
                var offset = (ulong)Evaluate(segment.Offset);
                var length = (ulong)(segment.Functions?.Length ?? segment.Expressions!.Length);
                ThrowIfTrapped(InitializeTable(segment.TableIndex, index, offset, 0, length), $"element segment {index}");
            }

            if (segment.Mode != SegmentMode.Passive)
            {
                DropElements(index);
            }
        }

        for (int index = 0; index < Module.Data.Count; index++)
        {
            DataSegment segment = Module.Data[index];
            if (segment.Mode == SegmentMode.Active)
            {
                var offset = (ulong)Evaluate(segment.Offset);
                ThrowIfTrapped(InitializeMemory(segment.MemoryIndex, index, offset, 0, (ulong)segment.Length), $"data segment {index}");
                DropData(index);
            }
        }
    }

    private static void ThrowIfTrapped(TrapKind kind, string where)
    {
        if (kind != TrapKind.None)
        {
            throw new WasmTrapException(new TrapInfo($"{kind.Describe()} ({where}, at instantiation)", []));
        }
    }

    /// <summary>The value of a constant expression (core specification, section 4.5.4). Only a vector takes up more than the low half.</summary>
    private UInt128 Evaluate(ConstantExpression expression)
    {
        var reader = new InstructionReader(Module.Bytes.Span, expression.Start, expression.End);
        var values = new Stack<UInt128>();
        while (reader.Read(out Instruction instruction) && instruction.Opcode != Opcode.End)
        {
            values.Push(ConstantInstructions.IsArithmetic(instruction.Opcode)
                ? Calculate(instruction.Opcode, (ulong)values.Pop(), (ulong)values.Pop())
                : ValueOf(in instruction));
        }

        return values.Pop();
    }

    private UInt128 ValueOf(in Instruction instruction) => instruction.Opcode switch
    {
        Opcode.I32Const or Opcode.F32Const => (uint)instruction.Immediate,
        Opcode.I64Const or Opcode.F64Const => (ulong)instruction.Immediate,
        Opcode.V128Const => new UInt128((ulong)instruction.Immediate2, (ulong)instruction.Immediate),
        Opcode.RefNull => 0,
        Opcode.RefFunc => InstanceGroup.FirstReferenceOf(Number) + (ulong)instruction.Index + 1,
        Opcode.GlobalGet => new UInt128(
            Module.Globals[instruction.Index].ValueType.Units > 1 ? GlobalUnits(instruction.Index)[1] : 0, GlobalUnits(instruction.Index)[0]),
        _ => throw new InvalidOperationException($"{OpcodeNames.NameOf(instruction.Opcode)} cannot be evaluated"),
    };

    // The second operand was pushed last.
    private static ulong Calculate(Opcode opcode, ulong second, ulong first) => opcode switch
    {
        Opcode.I32Add => (uint)first + (uint)second,
        Opcode.I32Sub => (uint)((uint)first - (uint)second),
        Opcode.I32Mul => (uint)first * (uint)second,
        Opcode.I64Add => first + second,
        Opcode.I64Sub => first - second,
        _ => first * second,
    };
}
