using System.Reflection;
using System.Reflection.Emit;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <content>
/// Calls in the place of the function itself (core specification, section 4.6.10). They are tail calls of the IL, so that the native stack does not grow. Each is a safepoint:
/// where the stack is to be captured, what is saved is the callee, at its entry, with its arguments. Nothing of the caller is left by then.
/// </content>
internal sealed partial class FunctionEmitter
{
    private void EmitReturnCall(in Instruction instruction)
    {
        int callee = instruction.Index;
        FunctionType type = _module.FunctionTypeOf(callee);
        Node[] arguments = ReusableArguments(type);
        EmitPoll(() =>
        {
            if (callee < _module.ImportedFunctionCount)
            {
                // It may be a function of another instance.
                EmitNode(Node.FunctionReference(callee));
                EmitSaveOfReference(type, arguments);
                return;
            }

            EmitSaveOf(callee, SavedRecord.Pack(0, SiteKind.Entry), 0, arguments);
            EmitDefaultReturn();
        });
        EmitArguments(arguments);
        EmitCallOf(callee, isTail: true);
        _il.Emit(OpCodes.Ret);
    }

    private void EmitReturnCallIndirect(in Instruction instruction)
    {
        FunctionType type = _module.FunctionTypeAt(instruction.Index);
        Node index = ReusableTop();
        Node[] arguments = ReusableArguments(type);
        LocalBuilder entry = EmitTableEntry(instruction, index);
        int table = instruction.Index2;
        EmitPoll(() =>
        {
            _il.Emit(OpCodes.Ldarg_0);
            EmitInt(table);
            EmitNode(index);
            EmitWiden(index.Type);
            _il.Emit(OpCodes.Call, RuntimeMethods.ReferenceAt);
            EmitSaveOfReference(type, arguments);
        });
        EmitArguments(arguments);
        EmitCallOf(entry, type, isTail: true);
        _il.Emit(OpCodes.Ret);
    }

    private void EmitReturnCallReference(in Instruction instruction)
    {
        FunctionType type = _module.FunctionTypeAt(instruction.Index);
        Node reference = ReusableTop();
        Node[] arguments = ReusableArguments(type);
        LocalBuilder code = EmitCodeOf(reference, instruction.Offset);
        EmitPoll(() =>
        {
            EmitNode(reference);
            EmitSaveOfReference(type, arguments);
        });
        EmitArguments(arguments);
        _il.LoadLocal(code);
        _il.Emit(OpCodes.Tailcall);
        _il.EmitCalli(OpCodes.Calli, CallingConventions.Standard, ModuleCompiler.ReturnTypeOf(type), ModuleCompiler.ParameterTypesOf(type), null);
        _il.Emit(OpCodes.Ret);
    }

    private Node ReusableTop()
    {
        Node node = Pop();
        return Reusable(node, _stack.Count);
    }

    // They are computed in ascending order, each into the slot of its depth, so that none reads a slot that was assigned before.
    private Node[] ReusableArguments(FunctionType type)
    {
        int from = _stack.Count - type.Parameters.Length;
        for (int depth = from; depth < _stack.Count; depth++)
        {
            if (_stack[depth].IsPending)
            {
                Materialise(depth);
            }
        }

        return PopArguments(type);
    }

    // The function whose reference is on the evaluation stack is saved at its entry.
    private void EmitSaveOfReference(FunctionType type, Node[] arguments)
    {
        LocalBuilder reference = Scratch(typeof(long));
        LocalBuilder record = Scratch(typeof(nint));
        _il.StoreLocal(reference);
        _il.Emit(OpCodes.Ldarg_0);
        _il.LoadLocal(reference);
        EmitInt(ValTypes.UnitsOf(type.Parameters));
        _il.Emit(OpCodes.Call, RuntimeMethods.BeginEntryRecord);
        _il.StoreLocal(record);
        EmitStoreInRecord(record, arguments);
        EmitDefaultReturn();
    }
}
