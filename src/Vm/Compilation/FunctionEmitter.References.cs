using System.Reflection;
using System.Reflection.Emit;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <content>References to functions: calls through them, and branches on null (core specification, sections 4.6.7 and 4.6.10).</content>
internal sealed partial class FunctionEmitter
{
    private void EmitCallReference(int position, in Instruction instruction)
    {
        FunctionType type = _module.FunctionTypeAt(instruction.Index);
        Node reference = Pop();
        LocalBuilder code = EmitCodeOf(reference, instruction.Offset);
        Node[] arguments = PopArguments(type);
        MaterialiseTrees();
        EmitArguments(arguments);
        _il.LoadLocal(code);
        _il.EmitCalli(OpCodes.Calli, CallingConventions.Standard, ModuleCompiler.ReturnTypeOf(type), ModuleCompiler.ParameterTypesOf(type), null);
        EmitAfterCall(position, instruction.Offset, type.Results.ToArray());
    }

    /// <summary>Finds the code of the function that a reference means; traps where it is null.</summary>
    private LocalBuilder EmitCodeOf(Node reference, int offset)
    {
        LocalBuilder code = Scratch(typeof(nint));
        _il.Emit(OpCodes.Ldarg_0);
        EmitNode(reference);
        EmitInt(_code.FunctionIndex);
        EmitInt(offset);
        _il.Emit(OpCodes.Call, RuntimeMethods.CodeOf);
        _il.StoreLocal(code);
        _il.LoadLocal(code);
        EmitUnless(OpCodes.Brtrue, EmitDefaultReturn);
        return code;
    }

    private void EmitAsNonNull(int offset)
    {
        Node reference = ReusableTop();
        EmitNode(reference);
        EmitTrapUnless(OpCodes.Brtrue, TrapKind.NullReference, offset);
        Push(reference);
    }

    private void EmitBranchOnNull(int depth)
    {
        Node reference = ReusableTop();
        EmitBranchWhere(depth, OpCodes.Brfalse, OpCodes.Brtrue, reference);
        Push(reference);
    }

    private void EmitBranchOnNonNull(int depth)
    {
        Node reference = ReusableTop();
        Push(reference);
        EmitBranchWhere(depth, OpCodes.Brtrue, OpCodes.Brfalse, reference);
        Pop();
    }
}
