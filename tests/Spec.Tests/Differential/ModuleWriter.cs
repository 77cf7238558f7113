using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests.Differential;

/// <summary>Writes a module in the binary format (core specification, section 5.5).</summary>
internal static class ModuleWriter
{
    private const int FunctionForm = 0x60;
    private const int EmptyBlock = 0x40;
    private const int HasMaximum = 1;
    private const int Is64 = 4;

    /// <summary>The module's bytes.</summary>
    /// <exception cref="InvalidOperationException">A branch names a block that is not around it: a tree that was cut into.</exception>
    public static byte[] Write(ModulePlan plan)
    {
        // Code first: its blocks make types.
        foreach (HostFunctionPlan import in HostInterface.Functions)
        {
            plan.TypeIndexOf(import.Type);
        }

        foreach (ValType[] tag in plan.Tags)
        {
            plan.TypeIndexOf(new FunctionType(tag, []));
        }

        byte[] functions = Section(3, plan.Functions, (section, function) => section.Unsigned(plan.TypeIndexOf(function.Type)));
        byte[] code = Section(10, plan.Functions, (section, function) => WriteFunction(section, plan, function));
        var module = new BinaryWriter();
        module.Bytes([0, (byte)'a', (byte)'s', (byte)'m', 1, 0, 0, 0]);
        module.Bytes(Section(1, plan.Types, (section, type) => section.Byte(FunctionForm).Types(type.Parameters).Types(type.Results)));
        module.Bytes(WriteImports(plan));
        module.Bytes(functions);
        module.Bytes(Section(4, plan.Tables, (section, table) =>
            section.Type(table.ElementType).Byte(HasMaximum | (table.Is64 ? Is64 : 0)).Unsigned(table.Minimum).Unsigned(table.Maximum)));
        module.Bytes(Section(5, plan.Memories, (section, memory) => section.Byte(HasMaximum | (memory.Is64 ? Is64 : 0)).Unsigned(memory.Minimum).Unsigned(memory.Maximum)));
        module.Bytes(Section(13, plan.Tags, (section, tag) => section.Byte(0).Unsigned(plan.TypeIndexOf(new FunctionType(tag, [])))));
        module.Bytes(Section(6, plan.Globals, (section, global) =>
        {
            section.Type(global.Type).Byte(global.IsMutable ? 1 : 0);
            WriteConstant(section, plan, global.Initializer);
        }));
        module.Bytes(WriteExports(plan));
        if (plan.Start is int start)
        {
            byte[] content = BinaryWriter.BytesOf(section => section.Unsigned(start));
            module.Byte(8).Unsigned(content.Length).Bytes(content);
        }

        module.Bytes(Section(9, plan.Elements, (section, segment) => WriteElements(section, plan, segment)));
        module.Bytes(BinaryWriter.BytesOf(section => section.Byte(12).Unsigned(BinaryWriter.BytesOf(count => count.Unsigned(plan.Data.Count)).Length).Unsigned(plan.Data.Count)));
        module.Bytes(code);
        module.Bytes(Section(11, plan.Data, (section, segment) => WriteData(section, plan, segment)));
        return module.ToArray();
    }

    private static byte[] Section<T>(int id, IReadOnlyCollection<T> items, Action<BinaryWriter, T> write)
    {
        if (items.Count == 0)
        {
            return [];
        }

        byte[] content = BinaryWriter.BytesOf(section =>
        {
            section.Unsigned(items.Count);
            foreach (T item in items)
            {
                write(section, item);
            }
        });
        return BinaryWriter.BytesOf(section => section.Byte(id).Unsigned(content.Length).Bytes(content));
    }

    private static byte[] WriteImports(ModulePlan plan)
    {
        var imports = new List<Action<BinaryWriter>>();
        imports.AddRange(HostInterface.Functions.Select(import => (Action<BinaryWriter>)(section =>
            section.Name(HostInterface.ModuleName).Name(import.Name).Byte((int)ExternalKind.Function).Unsigned(plan.TypeIndexOf(import.Type)))));
        imports.AddRange(HostInterface.Globals.Select(import => (Action<BinaryWriter>)(section =>
            section.Name(HostInterface.ModuleName).Name(import.Name).Byte((int)ExternalKind.Global).Type(import.Type).Byte(0))));
        return Section(2, imports, (section, write) => write(section));
    }

    private static byte[] WriteExports(ModulePlan plan)
    {
        var exports = new List<(string Name, ExternalKind Kind, int Index)>();
        exports.AddRange(plan.Functions.Where(function => function.ExportName is not null).Select(function => (function.ExportName!, ExternalKind.Function, function.Index)));
        exports.AddRange(plan.Memories.Select((_, index) => (MemoryName(index), ExternalKind.Memory, index)));
        return Section(7, exports, (section, export) => section.Name(export.Name).Byte((int)export.Kind).Unsigned(export.Index));
    }

    /// <summary>The name that a memory is exported under.</summary>
    public static string MemoryName(int index) => $"memory{index}";

    // Core specification, section 5.5.12: bit 0 is "not active", bit 1 "declarative" or "with a table's index", bit 2 "expressions".
    private static void WriteElements(BinaryWriter section, ModulePlan plan, ElementPlan segment)
    {
        bool hasNulls = segment.Functions.Contains(null);
        int flags = (segment.Mode switch { SegmentMode.Active => 2, SegmentMode.Passive => 1, _ => 3 }) | (hasNulls ? 4 : 0);
        section.Unsigned(flags);
        if (segment.Mode == SegmentMode.Active)
        {
            section.Unsigned(segment.Table);
            WriteConstant(section, plan, segment.Offset!);
        }

        section.Byte(hasNulls ? (int)ValType.FuncRef : 0).Unsigned(segment.Functions.Length);
        foreach (int? function in segment.Functions)
        {
            if (!hasNulls)
            {
                section.Unsigned(function!.Value);
            }
            else if (function is int index)
            {
                section.Opcode(Opcode.RefFunc).Unsigned(index).Opcode(Opcode.End);
            }
            else
            {
                section.Opcode(Opcode.RefNull).Type(ValType.FuncRef).Opcode(Opcode.End);
            }
        }
    }

    private static void WriteData(BinaryWriter section, ModulePlan plan, DataPlan segment)
    {
        if (segment.Mode == SegmentMode.Passive)
        {
            section.Unsigned(1);
        }
        else
        {
            section.Unsigned(2).Unsigned(segment.Memory);
            WriteConstant(section, plan, segment.Offset!);
        }

        section.Unsigned(segment.Bytes.Length).Bytes(segment.Bytes);
    }

    private static void WriteConstant(BinaryWriter section, ModulePlan plan, Node node)
    {
        WriteNode(section, plan, node, []);
        section.Opcode(Opcode.End);
    }

    private static void WriteFunction(BinaryWriter section, ModulePlan plan, FunctionPlan function)
    {
        byte[] body = BinaryWriter.BytesOf(writer =>
        {
            ValType[] locals = [.. function.Locals.Skip(function.Type.Parameters.Length)];
            writer.Unsigned(locals.Length);
            foreach (ValType local in locals)
            {
                writer.Unsigned(1).Type(local);
            }

            var labels = new List<Node> { function.Root };
            foreach (Node node in function.Root.Bodies[0])
            {
                WriteNode(writer, plan, node, labels);
            }

            writer.Opcode(Opcode.End);
        });
        section.Unsigned(body.Length).Bytes(body);
    }

    private static void WriteNode(BinaryWriter writer, ModulePlan plan, Node node, List<Node> labels)
    {
        foreach (Node operand in node.Operands)
        {
            WriteNode(writer, plan, operand, labels);
        }

        if (node.Opcode is not Opcode opcode)
        {
            return;
        }

        writer.Opcode(opcode);
        if (node.Bodies.Count > 0)
        {
            WriteBlock(writer, plan, node, labels);
            return;
        }

        if (opcode == Opcode.BrTable)
        {
            writer.Unsigned(node.Targets.Length - 1);
        }

        foreach (Node target in node.Targets)
        {
            writer.Unsigned(DepthOf(target, labels));
        }

        writer.Bytes(node.Immediates);
    }

    private static int DepthOf(Node target, List<Node> labels)
    {
        int at = labels.LastIndexOf(target);
        return at >= 0 ? labels.Count - 1 - at : throw new InvalidOperationException("a branch to a block that is not around it");
    }

    private static void WriteCatches(BinaryWriter writer, CatchPlan[] clauses, List<Node> labels)
    {
        writer.Unsigned(clauses.Length);
        foreach (CatchPlan clause in clauses)
        {
            writer.Byte((int)clause.Kind);
            if (clause.Kind is CatchKind.Catch or CatchKind.CatchRef)
            {
                writer.Unsigned(clause.Tag);
            }

            writer.Unsigned(DepthOf(clause.Target, labels));
        }
    }

    private static void WriteBlock(BinaryWriter writer, ModulePlan plan, Node block, List<Node> labels)
    {
        if (block.Parameters.Length == 0 && block.Results.Length <= 1)
        {
            if (block.Results.Length == 0)
            {
                writer.Byte(EmptyBlock);
            }
            else
            {
                writer.Type(block.Results[0]);
            }
        }
        else
        {
            writer.Signed(plan.TypeIndexOf(new FunctionType(block.Parameters, block.Results)));
        }

        if (block.Opcode == Opcode.TryTable)
        {
            WriteCatches(writer, block.Catches, labels);
        }

        labels.Add(block);
        for (int index = 0; index < block.Bodies.Count; index++)
        {
            if (index > 0)
            {
                writer.Opcode(Opcode.Else);
            }

            foreach (Node node in block.Bodies[index])
            {
                WriteNode(writer, plan, node, labels);
            }
        }

        labels.RemoveAt(labels.Count - 1);
        writer.Opcode(Opcode.End);
    }
}
