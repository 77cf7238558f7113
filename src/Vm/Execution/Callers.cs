using System.Collections.Concurrent;
using System.Reflection;
using System.Reflection.Emit;
using Everheap.Vm.Compilation;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Execution;

/// <summary>Calls a compiled function.</summary>
/// <param name="context">The context of its instance.</param>
/// <param name="entry">Its entry point.</param>
/// <param name="slots">Where its arguments are, and its results will be.</param>
internal delegate void Caller(nint context, nint entry, nint slots);

/// <summary>
/// Methods that call compiled functions from outside. They take the arguments from the slots, and put the first result there; further ones the function
/// has put there itself. One for each signature, for all machines of the process.
/// </summary>
internal static class Callers
{
    private static readonly ConcurrentDictionary<string, Caller> Known = new(StringComparer.Ordinal);

    /// <summary>The method for a signature.</summary>
    public static Caller For(FunctionType type)
    {
        string key = string.Concat(type.Parameters.ToArray().Select(KeyOf)) + ':' + (type.Results.Length == 0 ? "" : KeyOf(type.Results[0]));
        return Known.GetOrAdd(key, static (_, type) => Make(type), type);
    }

    private static Caller Make(FunctionType type)
    {
        var method = new DynamicMethod("Call", typeof(void), [typeof(nint), typeof(nint), typeof(nint)], typeof(Callers).Module, skipVisibility: true);
        ILGenerator il = method.GetILGenerator();
        if (type.Results.Length > 0)
        {
            il.Emit(OpCodes.Ldarg_2);
        }

        il.Emit(OpCodes.Ldarg_0);
        int unit = 0;
        foreach (ValType parameter in type.Parameters)
        {
            il.Emit(OpCodes.Ldarg_2);
            il.Emit(OpCodes.Ldc_I4, unit * sizeof(ulong));
            il.Emit(OpCodes.Add);
            FunctionEmitter.EmitLoadIndirect(il, parameter);
            unit += parameter.Units;
        }

        il.Emit(OpCodes.Ldarg_1);
        il.EmitCalli(OpCodes.Calli, CallingConventions.Standard, ModuleCompiler.ReturnTypeOf(type), ModuleCompiler.ParameterTypesOf(type), null);
        if (type.Results.Length > 0)
        {
            FunctionEmitter.EmitStoreIndirect(il, type.Results[0]);
        }

        il.Emit(OpCodes.Ret);
        return method.CreateDelegate<Caller>();
    }

    private static char KeyOf(ValType type) => type switch
    {
        ValType.I32 => 'i',
        ValType.F32 => 'f',
        ValType.F64 => 'd',
        ValType.V128 => 'v',
        _ => 'l',
    };
}
