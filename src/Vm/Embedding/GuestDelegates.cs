using System.Reflection;
using System.Reflection.Emit;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Embedding;

/// <summary>Turns functions of guests into delegates. What puts the arguments into the slots is emitted for each type of delegate and function.</summary>
internal static class GuestDelegates
{
    private static readonly MethodInfo LoadMethod = typeof(HostTypes).GetMethod(nameof(HostTypes.Load))!;
    private static readonly MethodInfo StoreMethod = typeof(HostTypes).GetMethod(nameof(HostTypes.Store))!;
    private static readonly MethodInfo ArgumentsMethod = Find("get_" + nameof(Function.Slots));
    private static readonly MethodInfo ResultsMethod = Find("get_" + nameof(Function.Results));
    private static readonly MethodInfo MachineMethod = Find("get_" + nameof(Function.Machine));
    private static readonly MethodInfo CallMethod = Find(nameof(Function.Call));

    /// <summary>What stands in the way of calling a function by a delegate.</summary>
    /// <returns>The reason, for people; null if there is none.</returns>
    public static string? WhyNot(FunctionType type, Type delegateType)
    {
        MethodInfo invoke = delegateType.GetMethod("Invoke")!;
        Type[] parameters = [.. invoke.GetParameters().Select(parameter => parameter.ParameterType)];
        Type[] results = HostTypes.ResultTypesOf(invoke.ReturnType);
        bool fits = parameters.Length == type.Parameters.Length && results.Length == type.Results.Length;
        for (int index = 0; fits && index < parameters.Length; index++)
        {
            fits = HostTypes.Gives(parameters[index], type.Parameters[index]);
        }

        for (int index = 0; fits && index < results.Length; index++)
        {
            fits = HostTypes.Takes(results[index], type.Results[index]);
        }

        return fits ? null : $"a function {type} cannot be called as ({string.Join(", ", parameters.Select(parameter => parameter.Name))}) -> ({string.Join(", ", results.Select(result => result.Name))})";
    }

    /// <summary>Makes a delegate that calls a function; it fits (<see cref="WhyNot"/>).</summary>
    public static Delegate ToDelegate(Function function, Type delegateType)
    {
        MethodInfo invoke = delegateType.GetMethod("Invoke")!;
        Type[] parameters = [.. invoke.GetParameters().Select(parameter => parameter.ParameterType)];
        var method = new DynamicMethod("CallGuest", invoke.ReturnType, [typeof(Function), .. parameters], typeof(GuestDelegates).Module, skipVisibility: true);
        ILGenerator il = method.GetILGenerator();
        LocalBuilder machine = il.DeclareLocal(typeof(Machine));
        LocalBuilder slots = il.DeclareLocal(typeof(Span<ulong>));
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Call, MachineMethod);
        il.Emit(OpCodes.Stloc, machine);
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Call, ArgumentsMethod);
        il.Emit(OpCodes.Stloc, slots);
        int unit = 0;
        for (int index = 0; index < parameters.Length; index++)
        {
            il.Emit(OpCodes.Ldloc, slots);
            il.Emit(OpCodes.Ldc_I4, unit);
            il.Emit(OpCodes.Ldarg, (short)(index + 1));
            il.Emit(OpCodes.Ldloc, machine);
            il.Emit(OpCodes.Call, StoreMethod.MakeGenericMethod(parameters[index]));
            unit += HostTypes.ValTypeOf(parameters[index]).Units;
        }

        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Call, CallMethod);
        EmitResults(il, invoke.ReturnType, machine);
        il.Emit(OpCodes.Ret);
        return method.CreateDelegate(delegateType, function);
    }

    private static void EmitResults(ILGenerator il, Type returnType, LocalBuilder machine)
    {
        Type[] results = HostTypes.ResultTypesOf(returnType);
        int unit = 0;
        foreach (Type result in results)
        {
            il.Emit(OpCodes.Ldarg_0);
            il.Emit(OpCodes.Call, ResultsMethod);
            il.Emit(OpCodes.Ldc_I4, unit);
            il.Emit(OpCodes.Ldloc, machine);
            il.Emit(OpCodes.Call, LoadMethod.MakeGenericMethod(result));
            unit += HostTypes.ValTypeOf(result).Units;
        }

        if (results.Length > 0 && results[0] != returnType)
        {
            il.Emit(OpCodes.Newobj, returnType.GetConstructor(results)!);
        }
    }

    private static MethodInfo Find(string name) =>
        typeof(Function).GetMethod(name, BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic) ?? throw new MissingMethodException(nameof(Function), name);
}
