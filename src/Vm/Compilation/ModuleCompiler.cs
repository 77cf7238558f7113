using System.Globalization;
using System.Reflection;
using System.Reflection.Emit;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;
using Module = Everheap.Vm.Modules.Module;

namespace Everheap.Vm.Compilation;

/// <summary>
/// Compiles a module to one dynamic assembly: a static method for each function, imported ones included, which calls its callees directly.
/// The JIT turns a method to machine code when it is first called. Twins are added when they are needed, each in a type of its own.
/// Used by one thread.
/// </summary>
internal sealed class ModuleCompiler
{
    /// <summary>Values that a saver takes as parameters; frames with more are stored in place.</summary>
    public const int SaverValuesMax = 96;

    /// <summary>Calls of a function that may have continuations; behind further ones it goes on in its twin. The loops of those that may have any are few.</summary>
    private const int CallContinuationsMax = 8;

    private readonly ModuleBuilder _builder;
    private readonly MethodBuilder[] _fast;
    private readonly Site[][] _sites;
    private readonly Dictionary<string, MethodBuilder> _savers = [];
    private readonly Dictionary<int, nint> _twins = [];
    private readonly Dictionary<(int Function, int Site), nint> _continuations = [];
    private readonly Dictionary<int, int> _callContinuations = [];
    private readonly int[] _signatures;
    private readonly Type _code;
    private TypeBuilder _type;
    private Dictionary<string, MethodInfo>? _entries;

    private ModuleCompiler(Module module, Addressing addressing, int stressInterval)
    {
        Module = module;
        Globals = GlobalLayout.Of(module);
        Addressing = addressing;
        StressInterval = stressInterval;
        AssemblyBuilder assembly = AssemblyBuilder.DefineDynamicAssembly(
            new AssemblyName("Everheap.Compiled"), AssemblyBuilderAccess.RunAndCollect);
        assembly.SetCustomAttribute(new CustomAttributeBuilder(
            typeof(System.Runtime.CompilerServices.IgnoresAccessChecksToAttribute).GetConstructor([typeof(string)])!, [typeof(ModuleCompiler).Assembly.GetName().Name!]));
        _builder = assembly.DefineDynamicModule("Everheap.Compiled");
        _signatures = NumberSignatures(module);
        _fast = new MethodBuilder[module.FunctionTypes.Count];
        _sites = new Site[_fast.Length][];
        _type = DefineType("Code");
        for (int function = 0; function < _fast.Length; function++)
        {
            FunctionType type = module.FunctionTypeOf(function);
            _fast[function] = DefineMethod(NameOf(function), ReturnTypeOf(type), ParameterTypesOf(type));
        }

        for (int function = 0; function < _fast.Length; function++)
        {
            _sites[function] = EmitFunction(_fast[function], function, CodeForm.Fast);
        }

        _code = _type.CreateType();
    }

    public Module Module { get; }

    /// <summary>Where the module's own globals lie behind the context.</summary>
    public GlobalLayout Globals { get; }

    /// <summary>How the code reaches the memory.</summary>
    public Addressing Addressing { get; }

    /// <summary>Where greater than zero, safepoints count down from this and then ask for a capture.</summary>
    public int StressInterval { get; }

    public static ModuleCompiler Compile(Module module, Addressing addressing, int stressInterval) => new(module, addressing, stressInterval);

    public static Type ReturnTypeOf(FunctionType type) =>
        type.Results.Length == 0 ? typeof(void) : FunctionEmitter.IlType(type.Results[0]);

    public static Type[] ParameterTypesOf(FunctionType type) =>
        [typeof(nint), .. type.Parameters.ToArray().Select(FunctionEmitter.IlType)];

    /// <summary>A function's sites by number.</summary>
    public Site[] SitesOf(int function) => _sites[function];

    /// <summary>A number that two of the module's types share if and only if they are equal; never zero.</summary>
    public int SignatureOf(int typeIndex) => _signatures[typeIndex];

    public MethodInfo FastMethodOf(int function) => _fast[function];

    /// <summary>The entry point of a function's fast form.</summary>
    public nint FastEntryOf(int function)
    {
        // Looked up once for all: a look-up by name goes through all of a type's methods.
        _entries ??= _code.GetMethods(BindingFlags.Public | BindingFlags.Static).ToDictionary(method => method.Name);
        return _entries[NameOf(function)].MethodHandle.GetFunctionPointer();
    }

    /// <summary>The entry point of a function's twin, which is compiled the first time; it takes the context alone.</summary>
    public nint TwinEntryOf(int function)
    {
        if (_twins.TryGetValue(function, out nint entry))
        {
            return entry;
        }

        string name = $"t{function}";
        _type = DefineType("Twin" + function);
        MethodBuilder method = DefineMethod(name, ReturnTypeOf(Module.FunctionTypeOf(function)), [typeof(nint)]);
        EmitFunction(method, function, CodeForm.Twin);
        entry = EntryOf(_type.CreateType(), name);
        _twins.Add(function, entry);
        return entry;
    }

    /// <summary>The entry point of what goes on at a site: a continuation of its own, or the function's twin. Either takes the context alone.</summary>
    public nint EntryAt(int function, int site)
    {
        if (!_continuations.TryGetValue((function, site), out nint entry))
        {
            entry = CompileContinuation(function, site) ?? TwinEntryOf(function);
            _continuations.Add((function, site), entry);
        }

        return entry;
    }

    /// <summary>The method that saves a record of values of the given types.</summary>
    public MethodInfo SaverOf(Type[] types)
    {
        string key = string.Concat(types.Select(type => type == typeof(int) ? 'i' : type == typeof(long) ? 'l' : type == typeof(float) ? 'f' : type == typeof(double) ? 'd' : 'v'));
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
        il.Emit(OpCodes.Stloc, values);
        int unit = 0;
        for (int index = 0; index < types.Length; index++)
        {
            il.Emit(OpCodes.Ldloc, values);
            il.Emit(OpCodes.Ldc_I4, unit * sizeof(long));
            il.Emit(OpCodes.Add);
            il.Emit(OpCodes.Ldarg, (short)(index + 4));
            FunctionEmitter.EmitStoreIndirect(il, ValueTypeOf(types[index]));
            unit += ValueTypeOf(types[index]).Units;
        }

        il.Emit(OpCodes.Ret);
        _savers.Add(key, saver);
        return saver;
    }

    private static ValType ValueTypeOf(Type type) =>
        type == typeof(int) ? ValType.I32 : type == typeof(long) ? ValType.I64 : type == typeof(float) ? ValType.F32 : type == typeof(double) ? ValType.F64 : ValType.V128;

    private static string NameOf(int function) => string.Create(CultureInfo.InvariantCulture, $"f{function}");

    private static int[] NumberSignatures(Module module)
    {
        var signatures = new int[module.Types.Count];
        for (int index = 0; index < signatures.Length; index++)
        {
            signatures[index] = module.CanonicalTypeIndex(index) + 1;
        }

        return signatures;
    }

    private TypeBuilder DefineType(string name) =>
        _builder.DefineType(name, TypeAttributes.Public | TypeAttributes.Abstract | TypeAttributes.Sealed | TypeAttributes.BeforeFieldInit);

    private MethodBuilder DefineMethod(string name, Type returnType, Type[] parameterTypes)
    {
        MethodBuilder method = _type.DefineMethod(name, MethodAttributes.Public | MethodAttributes.Static, returnType, parameterTypes);
        method.SetImplementationFlags(MethodImplAttributes.IL | MethodImplAttributes.AggressiveOptimization);
        method.InitLocals = false;
        return method;
    }

    private nint? CompileContinuation(int function, int site)
    {
        bool isCall = _sites[function][site].Kind == SiteKind.Call;
        int calls = _callContinuations.GetValueOrDefault(function);
        if (function < Module.ImportedFunctionCount
            || (isCall && calls >= CallContinuationsMax)
            || ContinuationPoint.At(FunctionCode.Decode(Module, function), _sites[function][site]) is not ContinuationPoint point)
        {
            return null;
        }

        _callContinuations[function] = calls + (isCall ? 1 : 0);
        string name = string.Create(CultureInfo.InvariantCulture, $"c{function}_{site}");
        _type = DefineType("Continuation" + name);
        MethodBuilder method = DefineMethod(name, ReturnTypeOf(Module.FunctionTypeOf(function)), [typeof(nint)]);
        FunctionEmitter.EmitContinuation(this, point, _sites[function], method.GetILGenerator(256));
        return EntryOf(_type.CreateType(), name);
    }

    private static nint EntryOf(Type type, string method) => type.GetMethod(method, BindingFlags.Public | BindingFlags.Static)!.MethodHandle.GetFunctionPointer();

    private Site[] EmitFunction(MethodBuilder method, int function, CodeForm form)
    {
        ILGenerator il = method.GetILGenerator(256);
        return function < Module.ImportedFunctionCount
            ? ImportEmitter.Emit(this, function, form, il)
            : FunctionEmitter.Emit(this, FunctionCode.Decode(Module, function), form, il);
    }
}
