using System.Reflection;
using System.Reflection.Emit;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;
using Everheap.Vm.Wasi;

namespace Everheap.Vm.Embedding;

/// <summary>Turns delegates of a host app into functions that guests can call. What takes the arguments out of the slots is emitted for each delegate.</summary>
internal static class HostDelegates
{
    private static readonly MethodInfo LoadMethod = typeof(HostTypes).GetMethod(nameof(HostTypes.Load))!;
    private static readonly MethodInfo StoreMethod = typeof(HostTypes).GetMethod(nameof(HostTypes.Store))!;
    private static readonly MethodInfo CallerOfMethod = typeof(Caller).GetMethod(nameof(Caller.Of), BindingFlags.NonPublic | BindingFlags.Static)!;
    private static readonly MethodInfo MachineMethod = typeof(HostDelegates).GetMethod(nameof(MachineOf), BindingFlags.NonPublic | BindingFlags.Static)!;

    /// <summary>Makes a host function of a delegate.</summary>
    /// <param name="moduleName">The first of its names.</param>
    /// <param name="name">The second.</param>
    /// <param name="body">The delegate.</param>
    /// <exception cref="ArgumentException">A parameter or result is not of a WebAssembly value's type.</exception>
    public static HostFunction ToHostFunction(string moduleName, string name, Delegate body)
    {
        ArgumentNullException.ThrowIfNull(moduleName);
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(body);
        MethodInfo invoke = body.GetType().GetMethod("Invoke")!;
        Type[] parameters = [.. invoke.GetParameters().Select(parameter => parameter.ParameterType)];
        bool takesCaller = parameters.Length > 0 && parameters[0] == typeof(Caller);
        Type[] results = HostTypes.ResultTypesOf(invoke.ReturnType);
        var type = new FunctionType(
            [.. parameters.Skip(takesCaller ? 1 : 0).Select(HostTypes.ValTypeOf)],
            [.. results.Select(HostTypes.ValTypeOf)]);
        return new HostFunction(type, Emit(body, invoke, parameters, results)) { Names = (moduleName, name) };
    }

    private static Machine MachineOf(Execution.Instance caller) => caller.Group.Owner!;

    private static HostFunctionBody Emit(Delegate body, MethodInfo invoke, Type[] parameters, Type[] results)
    {
        var method = new DynamicMethod(
            "CallHost",
            typeof(HostOutcome),
            [body.GetType(), typeof(Execution.Instance), typeof(ReadOnlySpan<ulong>), typeof(Span<ulong>)],
            typeof(HostDelegates).Module,
            skipVisibility: true);
        ILGenerator il = method.GetILGenerator();
        LocalBuilder machine = il.DeclareLocal(typeof(Machine));
        il.Emit(OpCodes.Ldarg_1);
        il.Emit(OpCodes.Call, MachineMethod);
        il.Emit(OpCodes.Stloc, machine);
        il.Emit(OpCodes.Ldarg_0);
        int unit = 0;
        foreach (Type parameter in parameters)
        {
            if (parameter == typeof(Caller))
            {
                il.Emit(OpCodes.Ldarg_1);
                il.Emit(OpCodes.Call, CallerOfMethod);
                continue;
            }

            il.Emit(OpCodes.Ldarg_2);
            il.Emit(OpCodes.Ldc_I4, unit);
            il.Emit(OpCodes.Ldloc, machine);
            il.Emit(OpCodes.Call, LoadMethod.MakeGenericMethod(parameter));
            unit += HostTypes.ValTypeOf(parameter).Units;
        }

        il.Emit(OpCodes.Callvirt, invoke);
        if (results.Length > 0)
        {
            EmitResults(il, invoke.ReturnType, results, machine);
        }

        il.Emit(OpCodes.Ldc_I4, (int)HostOutcome.Completed);
        il.Emit(OpCodes.Ret);
        return method.CreateDelegate<HostFunctionBody>(body);
    }

    private static void EmitResults(ILGenerator il, Type returnType, Type[] results, LocalBuilder machine)
    {
        LocalBuilder result = il.DeclareLocal(returnType);
        il.Emit(OpCodes.Stloc, result);
        int unit = 0;
        for (int index = 0; index < results.Length; index++)
        {
            il.Emit(OpCodes.Ldarg_3);
            il.Emit(OpCodes.Ldc_I4, unit);
            il.Emit(OpCodes.Ldloc, result);
            if (returnType != results[index])
            {
                il.Emit(OpCodes.Ldfld, returnType.GetField($"Item{index + 1}")!);
            }

            il.Emit(OpCodes.Ldloc, machine);
            il.Emit(OpCodes.Call, StoreMethod.MakeGenericMethod(results[index]));
            unit += HostTypes.ValTypeOf(results[index]).Units;
        }
    }
}
