using System.Globalization;
using System.Reflection;
using System.Reflection.Emit;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>
/// Two small methods for each function type, made when they are first needed. The <em>resolver</em> stands in the place of a function whose chunk is not compiled: it has the chunk
/// compiled and calls the function. The <em>entrance</em> is what the driver calls to enter a function at its beginning with the arguments of a saved record.
/// </summary>
/// <param name="module">Where to put them.</param>
internal sealed class SignatureStubs(ModuleBuilder module)
{
    private readonly Dictionary<FunctionType, nint> _resolvers = [];
    private readonly Dictionary<FunctionType, nint> _entrances = [];

    /// <summary>The resolver of a type, if it was made.</summary>
    public bool TryGetResolver(FunctionType type, out nint entry) => _resolvers.TryGetValue(type, out entry);

    /// <summary>Makes the resolvers of some types; together, because a type of the runtime's costs more than a method.</summary>
    public void MakeResolvers(IReadOnlyCollection<FunctionType> types) => Make("Resolvers", types, _resolvers, EmitResolver, withArguments: true);

    /// <summary>The entrance of a type.</summary>
    public nint EntranceOf(FunctionType type)
    {
        if (!_entrances.TryGetValue(type, out nint entry))
        {
            Make("Entrance", [type], _entrances, EmitEntrance, withArguments: false);
            entry = _entrances[type];
        }

        return entry;
    }

    private void Make(
        string name, IReadOnlyCollection<FunctionType> types, Dictionary<FunctionType, nint> made, Action<ILGenerator, FunctionType> emit, bool withArguments)
    {
        var target = new CodeType(module, string.Create(CultureInfo.InvariantCulture, $"{name}{made.Count}"), static _ => null);
        int number = 0;
        foreach (FunctionType type in types)
        {
            MethodBuilder method = target.DefineMethod(
                NameOf(number++), ModuleCompiler.ReturnTypeOf(type), withArguments ? ModuleCompiler.ParameterTypesOf(type) : [typeof(nint)]);
            emit(method.GetILGenerator(), type);
        }

        Type code = target.Create();
        number = 0;
        foreach (FunctionType type in types)
        {
            made.Add(type, code.GetMethod(NameOf(number++))!.MethodHandle.GetFunctionPointer());
        }
    }

    private static string NameOf(int number) => string.Create(CultureInfo.InvariantCulture, $"s{number}");

    // return (callee = Resolve(context))(context, arguments)
    private static void EmitResolver(ILGenerator il, FunctionType type)
    {
        LocalBuilder code = il.DeclareLocal(typeof(nint));
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Call, RuntimeMethods.ResolveCallee);
        il.StoreLocal(code);
        for (int argument = 0; argument <= type.Parameters.Length; argument++)
        {
            il.Emit(OpCodes.Ldarg, (short)argument);
        }

        il.LoadLocal(code);
        EmitCallAndReturn(il, type);
    }

    // context.Callee = entry of the record's function; return entry.Code(context, values of the record)
    private static void EmitEntrance(ILGenerator il, FunctionType type)
    {
        LocalBuilder record = il.DeclareLocal(typeof(nint));
        LocalBuilder entry = il.DeclareLocal(typeof(nint));
        FunctionEmitter.EmitRecordAddress(il);
        il.StoreLocal(record);
        il.Emit(OpCodes.Ldarg_0);
        ContextFields.Functions.EmitLoad(il);
        il.LoadLocal(record);
        il.Emit(OpCodes.Ldind_I4);
        il.Emit(OpCodes.Conv_I);
        il.Emit(OpCodes.Ldc_I4, TableEntry.SizeShift);
        il.Emit(OpCodes.Shl);
        il.Emit(OpCodes.Add);
        il.StoreLocal(entry);
        il.Emit(OpCodes.Ldarg_0);
        ContextFields.Callee.EmitStore(il, to => to.LoadLocal(entry));
        il.Emit(OpCodes.Ldarg_0);
        for (int index = 0; index < type.Parameters.Length; index++)
        {
            il.LoadLocal(record);
            il.Emit(OpCodes.Ldc_I4, SavedRecord.HeadBytes + (ValTypes.UnitsOf(type.Parameters[..index]) * sizeof(long)));
            il.Emit(OpCodes.Add);
            FunctionEmitter.EmitLoadIndirect(il, type.Parameters[index]);
        }

        il.LoadLocal(entry);
        il.Emit(OpCodes.Ldind_I);
        EmitCallAndReturn(il, type);
    }

    private static void EmitCallAndReturn(ILGenerator il, FunctionType type)
    {
        il.EmitCalli(OpCodes.Calli, CallingConventions.Standard, ModuleCompiler.ReturnTypeOf(type), ModuleCompiler.ParameterTypesOf(type), null);
        il.Emit(OpCodes.Ret);
    }
}
