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
        EmitCallOf(instruction.Index);
        EmitAfterCall(position, instruction.Offset, type.Results.ToArray());
    }

    private void EmitCallIndirect(int position, in Instruction instruction)
    {
        FunctionType type = _module.FunctionTypeAt(instruction.Index);
        LocalBuilder entry = EmitTableEntry(in instruction, Pop());
        Node[] arguments = PopArguments(type);
        MaterialiseTrees();
        EmitArguments(arguments);
        EmitCallOf(entry, type);
        EmitAfterCall(position, instruction.Offset, type.Results.ToArray());
    }

    /// <summary>Finds the entry of a table that is called; traps where there is none, or none of the type.</summary>
    private LocalBuilder EmitTableEntry(in Instruction instruction, Node element)
    {
        int offset = instruction.Offset;
        LocalBuilder index = Scratch(IlType(element.Type));
        LocalBuilder entry = Scratch(typeof(nint));
        EmitNode(element);
        _il.StoreLocal(index);

        EmitTable(instruction.Index2);
        _il.StoreLocal(entry);
        _il.LoadLocal(index);
        EmitWiden(element.Type);
        _il.LoadLocal(entry);
        EmitInt(sizeof(long));
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Ldind_I8);
        EmitTrapUnless(OpCodes.Blt_Un, TrapKind.UndefinedElement, offset);

        _il.LoadLocal(entry);
        _il.Emit(OpCodes.Ldind_I);
        _il.LoadLocal(index);
        EmitWiden(element.Type);
        EmitInt(4);
        _il.Emit(OpCodes.Shl);
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Add);
        _il.StoreLocal(entry);

        _il.LoadLocal(entry);
        EmitInt(sizeof(long));
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Ldind_I4);
        EmitInt(_compiler.SignatureOf(instruction.Index));
        EmitUnless(OpCodes.Beq, () =>
        {
            _il.Emit(OpCodes.Ldarg_0);
            EmitInt(_code.FunctionIndex);
            EmitInt(offset);
            _il.LoadLocal(entry);
            _il.Emit(OpCodes.Call, RuntimeMethods.TrapIndirectCall);
            EmitDefaultReturn();
        });
        return entry;
    }

    /// <summary>An address or index as an unsigned number of 64 bits.</summary>
    private void EmitWiden(ValType type)
    {
        if (type == ValType.I32)
        {
            _il.Emit(OpCodes.Conv_U8);
        }
    }

    /// <summary>Calls a function of the module; the arguments are on the evaluation stack.</summary>
    private void EmitCallOf(int function, bool isTail = false)
    {
        if (_target.DirectTargetOf(function) is MethodInfo method)
        {
            if (isTail)
            {
                _il.Emit(OpCodes.Tailcall);
            }

            _il.Emit(OpCodes.Call, method);
            return;
        }

        LocalBuilder entry = Scratch(typeof(nint));
        CodeType.EmitEntryOf(_il, function);
        _il.StoreLocal(entry);
        EmitCallOf(entry, _module.FunctionTypeOf(function), isTail);
    }

    /// <summary>Calls what an entry holds; the arguments are on the evaluation stack. A resolver, which may be in the function's place, learns from the context whose entry it is.</summary>
    private void EmitCallOf(LocalBuilder entry, FunctionType type, bool isTail = false)
    {
        _il.Emit(OpCodes.Ldarg_0);
        ContextFields.Callee.EmitStore(_il, to => to.LoadLocal(entry));
        _il.LoadLocal(entry);
        _il.Emit(OpCodes.Ldind_I);
        if (isTail)
        {
            _il.Emit(OpCodes.Tailcall);
        }

        _il.EmitCalli(
            OpCodes.Calli, CallingConventions.Standard, ModuleCompiler.ReturnTypeOf(type), ModuleCompiler.ParameterTypesOf(type), null);
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
            Store(SlotLocal(height, results[0]));
        }

        SavedValues saved = StoredValues(_liveness.AliveAt(position), height);
        int site = AddSite(SiteKind.Call, offset, saved.Values, results);
        EmitPoll(() =>
        {
            if (UseHandler() is Label handler)
            {
                EmitBranchIfThrowing(handler);
            }

            if (results.Length > 0 && !_isHurried)
            {
                int first = 0;
                EmitStoreSlot(ref first, results[0], Node.Slot(results[0], height));
            }

            EmitSaveAt(site, SiteKind.Call, ValTypes.UnitsOf(results), saved);
        });

        int unit = results.Length > 0 ? results[0].Units : 0;
        for (int index = 0; index < results.Length; index++)
        {
            if (index > 0)
            {
                EmitLoadSlot(ref unit, results[index], SlotLocal(height + index, results[index]));
            }

            Push(Node.Slot(results[index], height + index));
        }

        if (_form == CodeForm.Twin)
        {
            Label resumed = _il.DefineLabel();
            AddEntry(site, resumed, saved.Nodes, () =>
            {
                int from = 0;
                for (int index = 0; index < results.Length; index++)
                {
                    EmitLoadSlot(ref from, results[index], SlotLocal(height + index, results[index]));
                }
            });
            _il.MarkLabel(resumed);
        }
    }

    private void EmitTable(int table)
    {
        _il.Emit(OpCodes.Ldarg_0);
        ContextFields.Tables.EmitLoad(_il);
        if (table > 0)
        {
            EmitInt(table * 16);
            _il.Emit(OpCodes.Add);
        }
    }
}
