using System.Reflection;
using System.Reflection.Emit;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <content>Calls: the context first, then the arguments. After a call returns, the caller looks whether the stack is being captured.</content>
internal sealed partial class FunctionEmitter
{
    private void EmitCall(int position, in Instruction instruction)
    {
        FunctionType type = _module.FunctionTypeOf(instruction.Index);
        Node[] arguments = PopArguments(type);
        MaterialiseTrees();
        EmitArguments(arguments);
        _il.Emit(OpCodes.Call, _compiler.FastMethodOf(instruction.Index));
        EmitAfterCall(position, instruction.Offset, type.Results.ToArray());
    }

    private void EmitCallIndirect(int position, in Instruction instruction)
    {
        FunctionType type = _module.FunctionTypeAt(instruction.Index);
        int offset = instruction.Offset;
        LocalBuilder index = Scratch(typeof(int));
        LocalBuilder entry = Scratch(typeof(nint));
        EmitNode(Pop());
        _il.Emit(OpCodes.Stloc, index);
        Node[] arguments = PopArguments(type);
        MaterialiseTrees();

        EmitTable(instruction.Index2);
        _il.Emit(OpCodes.Stloc, entry);
        _il.Emit(OpCodes.Ldloc, index);
        _il.Emit(OpCodes.Conv_U8);
        _il.Emit(OpCodes.Ldloc, entry);
        EmitInt(sizeof(long));
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Ldind_I8);
        EmitTrapUnless(OpCodes.Blt_Un, TrapKind.UndefinedElement, offset);

        _il.Emit(OpCodes.Ldloc, entry);
        _il.Emit(OpCodes.Ldind_I);
        _il.Emit(OpCodes.Ldloc, index);
        _il.Emit(OpCodes.Conv_U8);
        EmitInt(4);
        _il.Emit(OpCodes.Shl);
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Stloc, entry);

        _il.Emit(OpCodes.Ldloc, entry);
        EmitInt(sizeof(long));
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Ldind_I4);
        EmitInt(_compiler.SignatureOf(instruction.Index));
        EmitUnless(OpCodes.Beq, () =>
        {
            _il.Emit(OpCodes.Ldarg_0);
            EmitInt(_code.FunctionIndex);
            EmitInt(offset);
            _il.Emit(OpCodes.Ldloc, entry);
            _il.Emit(OpCodes.Call, RuntimeMethods.TrapIndirectCall);
            EmitDefaultReturn();
        });

        EmitArguments(arguments);
        _il.Emit(OpCodes.Ldloc, entry);
        _il.Emit(OpCodes.Ldind_I);
        _il.EmitCalli(
            OpCodes.Calli, CallingConventions.Standard, ModuleCompiler.ReturnTypeOf(type), ModuleCompiler.ParameterTypesOf(type), null);
        EmitAfterCall(position, offset, type.Results.ToArray());
    }

    private Node[] PopArguments(FunctionType type)
    {
        var arguments = new Node[type.Parameters.Length];
        for (int index = arguments.Length - 1; index >= 0; index--)
        {
            arguments[index] = Pop();
        }

        // An argument may read the slot of its depth or above; nothing is assigned between here and the call but slots below.
        return arguments;
    }

    private void EmitArguments(Node[] arguments)
    {
        _il.Emit(OpCodes.Ldarg_0);
        foreach (Node argument in arguments)
        {
            EmitNode(argument);
        }
    }

    private void EmitAfterCall(int position, int offset, ValType[] results)
    {
        int height = _stack.Count;
        if (results.Length > 0)
        {
            _il.Emit(OpCodes.Stloc, SlotLocal(height, results[0]));
        }

        List<(SiteValue Value, Node Node)> saved = StoredValues(_liveness.AliveAt(position), height);
        int site = AddSite(SiteKind.Call, offset, saved.Select(entry => entry.Value), results);
        EmitPoll(() =>
        {
            if (results.Length > 0)
            {
                EmitSlotAddress(0);
                _il.Emit(OpCodes.Ldloc, SlotLocal(height, results[0]));
                EmitStoreIndirect(_il, results[0]);
            }

            EmitSave(site, SiteKind.Call, ValTypes.UnitsOf(results), [.. saved.Select(entry => entry.Node)]);
            EmitDefaultReturn();
        });

        for (int index = 0; index < results.Length; index++)
        {
            if (index > 0)
            {
                EmitSlotAddress(results, index);
                EmitLoadIndirect(_il, results[index]);
                _il.Emit(OpCodes.Stloc, SlotLocal(height + index, results[index]));
            }

            Push(Node.Slot(results[index], height + index));
        }

        if (_form == CodeForm.Twin)
        {
            Label resumed = _il.DefineLabel();
            AddEntry(site, resumed, saved.Select(entry => entry.Node), () =>
            {
                for (int index = 0; index < results.Length; index++)
                {
                    EmitSlotAddress(results, index);
                    EmitLoadIndirect(_il, results[index]);
                    _il.Emit(OpCodes.Stloc, SlotLocal(height + index, results[index]));
                }
            });
            _il.MarkLabel(resumed);
        }
    }

    private void EmitTable(int table)
    {
        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldfld, TablesField);
        if (table > 0)
        {
            EmitInt(table * 16);
            _il.Emit(OpCodes.Add);
        }
    }
}
