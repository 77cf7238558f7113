using System.Reflection;
using System.Reflection.Emit;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>
/// Compiles an imported function to a method that callers cannot tell from a declared one. A function of another instance is called with that instance's context, and leaves no frame
/// of its own. Of a host function, the one site is its entry: a host call that cannot go on now is saved with its arguments, and made again after the capture.
/// </summary>
internal static class ImportEmitter
{
    public static Site[] Emit(ModuleCompiler compiler, CodeType target, int function, ILGenerator il)
    {
        FunctionType type = compiler.Module.FunctionTypeOf(function);
        ReadOnlySpan<ValType> parameters = type.Parameters;
        EmitForeignCall(function, type, il);
        var arguments = new LocalBuilder[parameters.Length];
        int unit = 0;
        for (int index = 0; index < parameters.Length; index++)
        {
            arguments[index] = il.DeclareLocal(FunctionEmitter.IlType(parameters[index]));
            il.Emit(OpCodes.Ldarg, (short)(index + 1));
            il.StoreLocal(arguments[index]);

            // The whole slot is written, so that a narrow argument is zero-extended.
            EmitSlotAddress(il, unit);
            il.Emit(OpCodes.Ldc_I4_0);
            il.Emit(OpCodes.Conv_I8);
            il.Emit(OpCodes.Stind_I8);
            EmitSlotAddress(il, unit);
            il.LoadLocal(arguments[index]);
            FunctionEmitter.EmitStoreIndirect(il, parameters[index]);
            unit += parameters[index].Units;
        }

        LocalBuilder outcome = il.DeclareLocal(typeof(int));
        Label notDone = il.DefineLabel();
        Label giveUp = il.DefineLabel();
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Ldc_I4, function);
        il.Emit(OpCodes.Call, RuntimeMethods.CallHost);
        il.StoreLocal(outcome);
        il.LoadLocal(outcome);
        il.Emit(OpCodes.Brtrue, notDone);
        if (type.Results.Length > 0)
        {
            EmitSlotAddress(il, 0);
            FunctionEmitter.EmitLoadIndirect(il, type.Results[0]);
        }

        il.Emit(OpCodes.Ret);

        il.MarkLabel(notDone);
        il.LoadLocal(outcome);
        il.Emit(OpCodes.Ldc_I4_1);
        il.Emit(OpCodes.Bne_Un, giveUp);
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Ldc_I4, function);
        il.Emit(OpCodes.Ldc_I4, SavedRecord.Pack(0, SiteKind.Entry));
        il.Emit(OpCodes.Ldc_I4_0);
        foreach (LocalBuilder argument in arguments)
        {
            il.LoadLocal(argument);
        }

        il.Emit(OpCodes.Call, target.SaverOf([.. arguments.Select(argument => argument.LocalType)]));
        il.MarkLabel(giveUp);
        if (type.Results.Length > 0)
        {
            FunctionEmitter.EmitZero(il, type.Results[0]);
        }

        il.Emit(OpCodes.Ret);
        return [new Site(SiteKind.Entry, 0, SiteValue.ToUnits([.. parameters.ToArray().Select((parameter, index) => new SiteValue(false, index, parameter.Stored))]), [], HasHandler: false, null)];
    }

    // The callee takes the caller's place on the native stack.
    private static void EmitForeignCall(int function, FunctionType type, ILGenerator il)
    {
        LocalBuilder cell = il.DeclareLocal(typeof(nint));
        Label isHost = il.DefineLabel();
        il.Emit(OpCodes.Ldarg_0);
        ContextFields.Imports.EmitLoad(il);
        il.Emit(OpCodes.Ldc_I4, function * FunctionCell.Bytes);
        il.Emit(OpCodes.Add);
        il.StoreLocal(cell);
        il.LoadLocal(cell);
        il.Emit(OpCodes.Ldind_I);
        il.Emit(OpCodes.Brfalse, isHost);
        EmitCellCall(cell, type, il);
        il.MarkLabel(isHost);
    }

    /// <summary>Goes on in the function of a cell (<see cref="FunctionCell"/>), with its context and the arguments of the method at hand.</summary>
    public static void EmitCellCall(LocalBuilder cell, FunctionType type, ILGenerator il)
    {
        LocalBuilder entry = il.DeclareLocal(typeof(nint));
        il.LoadLocal(cell);
        il.Emit(OpCodes.Ldc_I4, FunctionCell.EntryOffset);
        il.Emit(OpCodes.Add);
        il.Emit(OpCodes.Ldind_I);
        il.StoreLocal(entry);
        il.LoadLocal(cell);
        il.Emit(OpCodes.Ldind_I);
        ContextFields.Callee.EmitStore(il, to => to.LoadLocal(entry));
        il.LoadLocal(cell);
        il.Emit(OpCodes.Ldind_I);
        for (int index = 0; index < type.Parameters.Length; index++)
        {
            il.Emit(OpCodes.Ldarg, (short)(index + 1));
        }

        il.LoadLocal(entry);
        il.Emit(OpCodes.Ldind_I);
        il.Emit(OpCodes.Tailcall);
        il.EmitCalli(OpCodes.Calli, CallingConventions.Standard, ModuleCompiler.ReturnTypeOf(type), ModuleCompiler.ParameterTypesOf(type), null);
        il.Emit(OpCodes.Ret);
    }

    private static void EmitSlotAddress(ILGenerator il, int unit)
    {
        il.Emit(OpCodes.Ldarg_0);
        ContextFields.Slots.EmitLoad(il);
        il.Emit(OpCodes.Ldc_I4, unit * sizeof(long));
        il.Emit(OpCodes.Add);
    }
}
