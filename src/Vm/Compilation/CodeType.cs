using System.Reflection;
using System.Reflection.Emit;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>A type of compiled code while it is being emitted: its methods, the savers that they share, and how they reach functions.</summary>
internal sealed class CodeType
{
    /// <summary>Values that a saver takes as parameters; frames with more are stored in place.</summary>
    public const int SaverValuesMax = 96;

    private readonly TypeBuilder _type;
    private readonly Dictionary<string, MethodBuilder> _savers = [];
    private readonly Func<int, MethodInfo?> _directTarget;
    private readonly HashSet<int> _called = [];

    /// <summary>Begins a type.</summary>
    /// <param name="module">The module that it will be part of.</param>
    /// <param name="name">Its name.</param>
    /// <param name="directTarget">The method of a function that may be called directly, or null where a call goes through the table of functions.</param>
    public CodeType(ModuleBuilder module, string name, Func<int, MethodInfo?> directTarget)
    {
        _type = module.DefineType(name, TypeAttributes.Public | TypeAttributes.Abstract | TypeAttributes.Sealed | TypeAttributes.BeforeFieldInit);
        _directTarget = directTarget;
    }

    /// <summary>The functions that it calls through the table of functions.</summary>
    public IReadOnlyCollection<int> Called => _called;

    /// <summary>Begins a dynamic assembly.</summary>
    public static ModuleBuilder BeginAssembly(AssemblyBuilder assembly)
    {
        assembly.SetCustomAttribute(new CustomAttributeBuilder(
            typeof(System.Runtime.CompilerServices.IgnoresAccessChecksToAttribute).GetConstructor([typeof(string)])!, [typeof(CodeType).Assembly.GetName().Name!]));
        return assembly.DefineDynamicModule(assembly.GetName().Name!);
    }

    /// <summary>Adds a method that the JIT optimises at once, or that it compiles in a hurry.</summary>
    public MethodBuilder DefineMethod(string name, Type returnType, Type[] parameterTypes, bool isHurried = false)
    {
        MethodBuilder method = DefinePlainMethod(name, returnType, parameterTypes);
        method.SetImplementationFlags(MethodImplAttributes.IL | (isHurried ? MethodImplAttributes.NoOptimization : MethodImplAttributes.AggressiveOptimization));
        return method;
    }

    /// <summary>Adds a method that is called too seldom to be optimised.</summary>
    public MethodBuilder DefinePlainMethod(string name, Type returnType, Type[] parameterTypes)
    {
        MethodBuilder method = _type.DefineMethod(name, MethodAttributes.Public | MethodAttributes.Static, returnType, parameterTypes);
        method.InitLocals = false;
        return method;
    }

    /// <summary>Ends the type.</summary>
    public Type Create() => _type.CreateType();

    /// <summary>The method of a function that may be called directly, or null: then <see cref="EmitEntryOf"/> says where its entry is.</summary>
    public MethodInfo? DirectTargetOf(int function)
    {
        MethodInfo? target = _directTarget(function);
        if (target is null)
        {
            _called.Add(function);
        }

        return target;
    }

    /// <summary>Pushes the address of a function's entry in the table of functions.</summary>
    public static unsafe void EmitEntryOf(ILGenerator il, int function)
    {
        il.Emit(OpCodes.Ldarg_0);
        ContextFields.Functions.EmitLoad(il);
        il.Emit(OpCodes.Ldc_I4, checked(function * sizeof(TableEntry)));
        il.Emit(OpCodes.Add);
    }

    /// <summary>The method that saves a record of values of the given types.</summary>
    public MethodInfo SaverOf(Type[] types)
    {
        string key = string.Create(types.Length, types, static (letters, all) =>
        {
            for (int index = 0; index < letters.Length; index++)
            {
                letters[index] = all[index] == typeof(int) ? 'i' : all[index] == typeof(long) ? 'l' : all[index] == typeof(float) ? 'f' : all[index] == typeof(double) ? 'd' : 'v';
            }
        });
        if (_savers.TryGetValue(key, out MethodBuilder? saver))
        {
            return saver;
        }

        saver = DefineMethod("Save_" + key, typeof(void), [typeof(nint), typeof(int), typeof(int), typeof(int), .. types]);
        saver.SetImplementationFlags(MethodImplAttributes.IL | MethodImplAttributes.NoInlining);
        ILGenerator il = saver.GetILGenerator();
        LocalBuilder values = il.DeclareLocal(typeof(nint));
        for (short argument = 0; argument < 4; argument++)
        {
            il.Emit(OpCodes.Ldarg, argument);
        }

        il.Emit(OpCodes.Ldc_I4, types.Sum(type => ValueTypeOf(type).Units));
        il.Emit(OpCodes.Call, RuntimeMethods.BeginRecord);
        il.StoreLocal(values);
        int offset = 0;
        for (int index = 0; index < types.Length; index++)
        {
            il.LoadLocal(values);
            il.Emit(OpCodes.Ldc_I4, offset);
            il.Emit(OpCodes.Add);
            il.Emit(OpCodes.Ldarg, (short)(index + 4));
            FunctionEmitter.EmitStoreIndirect(il, ValueTypeOf(types[index]));
            offset += ValueTypeOf(types[index]).Units * sizeof(long);
        }

        il.Emit(OpCodes.Ret);
        _savers.Add(key, saver);
        return saver;
    }

    /// <summary>The value type that a type of the IL stands for; references are numbers.</summary>
    public static ValType ValueTypeOf(Type type) =>
        type == typeof(int) ? ValType.I32 : type == typeof(long) ? ValType.I64 : type == typeof(float) ? ValType.F32 : type == typeof(double) ? ValType.F64 : ValType.V128;
}
