using System.Globalization;
using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;
using Module = Everheap.Vm.Modules.Module;

namespace Everheap.Vm.Compilation;

/// <summary>
/// A module's compiled code, for one way of reaching the memory. All instances of the module share it, on whatever threads they run; it depends on the module alone.
/// <para>
/// Code is made when it is needed. A chunk of functions (<see cref="ChunkLayout"/>) becomes an assembly of static methods when the first of them is called; the JIT turns a
/// method to machine code when that is called. Twins and continuations are made one by one.
/// </para>
/// <para>
/// Invariants. (1) <see cref="Functions"/> does not move, and an entry whose code is not 0 can be called: its code is the function, or a resolver that has it compiled.
/// (2) Code of a chunk that is loaded calls only entries that can be called. (3) Everything else is touched under the gate.
/// </para>
/// </summary>
internal sealed unsafe partial class ModuleCompiler
{
    /// <summary>Calls of a function that may have continuations; behind further ones it goes on in its twin. The loops of those that may have any are few.</summary>
    private const int CallContinuationsMax = 8;

    /// <summary>Bytes of IL that a twin has for each byte of its function's body, roughly.</summary>
    private const int TwinBytesPerBodyByte = 10;

    private readonly Lock _gate = new();
    private readonly CodeSpace _space = new();
    private readonly ModuleBuilder _builder;
    private readonly SignatureStubs _stubs;
    private readonly Site[]?[] _sites;
    private readonly Dictionary<int, byte[]?> _siteImages = [];
    private readonly Dictionary<(int Function, int Site), nint> _continuations = [];
    private readonly Dictionary<int, int> _callContinuations = [];
    private readonly Dictionary<int, int> _hurriedBytes = [];
    private readonly HashSet<int> _largeCalled = [];
    private readonly int[] _signatures;
    private readonly TableEntry* _functions;
    private readonly nint* _twins;

    /// <summary>Prepares a module's code.</summary>
    /// <param name="module">The module.</param>
    /// <param name="options">Which code.</param>
    public ModuleCompiler(Module module, CodeOptions options)
    {
        IsTiered = module.CodeBytes >= options.TieredBytes;
        Module = module;
        Globals = GlobalLayout.Of(module);
        Options = options;
        Tiering = new Tiering(this);
        _builder = NewBuilder();
        _stubs = new SignatureStubs(_builder);
        _layout = ChunkLayout.Of(module, IsTiered ? Math.Min(options.ChunkBytes, ChunkLayout.TieredChunkBytes) : options.ChunkBytes);
        _chunks = new CompiledChunk?[_layout.Count];
        _isKept = new bool[_layout.Count];
        _emissions = [.. Enumerable.Range(0, _layout.Count).Select(chunk => new ChunkEmission(() => EmitChunk(chunk)))];
        _signatures = NumberSignatures(module);
        int count = module.FunctionTypes.Count;
        _sites = new Site[]?[count];
        _functions = (TableEntry*)NativeMemory.AllocZeroed((nuint)Math.Max(count, 1), (nuint)sizeof(TableEntry));
        _twins = (nint*)NativeMemory.AllocZeroed((nuint)Math.Max(count, 1), (nuint)sizeof(nint));
        for (int function = 0; function < count; function++)
        {
            _functions[function].Signature = (uint)_signatures[module.FunctionTypes[function]];
            _functions[function].Function = (uint)function;
        }
    }

    ~ModuleCompiler()
    {
        NativeMemory.Free(_functions);
        NativeMemory.Free(_twins);
    }

    public Module Module { get; }

    /// <summary>Where the module's own globals lie behind the context.</summary>
    public GlobalLayout Globals { get; }

    public CodeOptions Options { get; }

    /// <summary>Whether functions are compiled in a hurry at first.</summary>
    public bool IsTiered { get; }

    /// <summary>Which of them are hot.</summary>
    public Tiering Tiering { get; }

    /// <summary>How the code reaches the memory.</summary>
    public Addressing Addressing => Options.Addressing;

    /// <summary>Where greater than zero, safepoints count down from this and then ask for a capture.</summary>
    public int StressInterval => Options.StressInterval;

    /// <summary>The table of functions, by index. A code that is 0 must be asked for with <see cref="EntryOf"/>.</summary>
    public TableEntry* Functions => _functions;

    /// <summary>The entry point of each function's twin, or zero where it is not compiled yet.</summary>
    public nint* Twins => _twins;

    public static Type ReturnTypeOf(FunctionType type) =>
        type.Results.Length == 0 ? typeof(void) : FunctionEmitter.IlType(type.Results[0]);

    public static Type[] ParameterTypesOf(FunctionType type) =>
        [typeof(nint), .. type.Parameters.ToArray().Select(FunctionEmitter.IlType)];

    /// <summary>The name of a function's method.</summary>
    public static string NameOf(int function) => string.Create(CultureInfo.InvariantCulture, $"f{function}");

    /// <summary>A function's sites by number. They are the same in each of its forms.</summary>
    public Site[] SitesOf(int function)
    {
        Site[]? sites = Volatile.Read(ref _sites[function]);
        if (sites is null)
        {
            lock (_gate)
            {
                // A chunk that was not compiled here came without them. What a cache does not have is had by emitting the function once more, for nothing but its sites.
                sites = _sites[function] ??= ReadSites(function) ?? EmitForSites(function);
            }
        }

        return sites;
    }

    /// <summary>A number that two of the module's types share if and only if they are equal; never zero.</summary>
    public int SignatureOf(int typeIndex) => _signatures[typeIndex];

    /// <summary>A function's entry in the table of functions, which can be called.</summary>
    public TableEntry EntryOf(int function)
    {
        if (Volatile.Read(ref _functions[function].Code) == 0)
        {
            lock (_gate)
            {
                MakeCallable(function);
            }
        }

        return _functions[function];
    }

    /// <summary>How another instance calls a function.</summary>
    /// <param name="context">The context of the function's instance.</param>
    /// <param name="function">The function.</param>
    public FunctionCell CellOf(CodeContext* context, int function)
    {
        EntryOf(function);
        return new FunctionCell { Context = context, Entry = _functions + function };
    }

    /// <summary>The entry point of a function's code, which is compiled if it is not yet.</summary>
    public nint Resolve(int function)
    {
        lock (_gate)
        {
            CompiledChunk chunk = Load(_layout.ChunkOf(function));
            if (IsLarge(function) && _largeCalled.Add(function))
            {
                MethodInfo method = chunk.MethodOf(function);
                Volatile.Write(ref _functions[function].Code, method.MethodHandle.GetFunctionPointer());
                OptimiseLater(function, CodeForm.Fast, -1, method.GetMethodBody()!.GetILAsByteArray()!.Length);
            }
        }

        return _functions[function].Code;
    }

    /// <summary>Makes all that entering a function at its start takes.</summary>
    public void Prepare(int function)
    {
        Resolve(function);
        EntryAt(function, 0);
        RuntimeHelpers.PrepareMethod(MethodOf(function).MethodHandle);
    }

    /// <summary>The entry point of a function's twin, which is compiled the first time; it takes the context alone.</summary>
    public nint TwinEntryOf(int function)
    {
        lock (_gate)
        {
            if (_twins[function] == 0)
            {
                int bytes = 0;
                _twins[function] = CompileAlone("t", function, -1, IsHurried(function), (target, il) =>
                {
                    EmitFunction(target, il, function, CodeForm.Twin);
                    bytes = il.ILOffset;
                });
                if (!IsTiered)
                {
                    OptimiseLater(function, CodeForm.Twin, -1, bytes);
                }
            }

            return _twins[function];
        }
    }

    /// <summary>
    /// The entry point of what goes on at a site: the function itself at its beginning, a continuation of its own, or the function's twin. Each takes the context alone.
    /// </summary>
    public nint EntryAt(int function, int site)
    {
        lock (_gate)
        {
            if (!_continuations.TryGetValue((function, site), out nint entry))
            {
                nint? own = SitesOf(function)[site].Kind == SiteKind.Entry ? EntranceOf(function) : IsTiered ? CompileInHurry(function, site) : CompileContinuation(function, site);
                if (own is null && IsTiered)
                {
                    return TwinEntryOf(function);
                }

                entry = own ?? TwinEntryOf(function);
                _continuations.Add((function, site), entry);
            }

            return entry;
        }
    }

    private static ModuleBuilder NewBuilder() =>
        CodeType.BeginAssembly(AssemblyBuilder.DefineDynamicAssembly(new AssemblyName("Everheap.Compiled"), AssemblyBuilderAccess.RunAndCollect));

    private static int[] NumberSignatures(Module module)
    {
        var signatures = new int[module.Types.Count];
        for (int index = 0; index < signatures.Length; index++)
        {
            signatures[index] = module.CanonicalTypeIndex(index) + 1;
        }

        return signatures;
    }

    // The only chunk is compiled at once: it holds what will be called first. Else resolvers do, for all that elements refer to together.
    private void MakeCallable(int function)
    {
        if (_layout.Count == 1)
        {
            Load(0);
            return;
        }

        PutResolvers([function, .. Module.Elements.SelectMany(segment => segment.Functions ?? [])]);
    }

    private void PutResolvers(IEnumerable<int> functions)
    {
        int[] missing = [.. functions.Where(function => _functions[function].Code == 0)];
        FunctionType[] types = [.. missing.Select(Module.FunctionTypeOf).Distinct().Where(type => !_stubs.TryGetResolver(type, out _))];
        if (types.Length > 0)
        {
            _stubs.MakeResolvers(types);
        }

        foreach (int function in missing)
        {
            _stubs.TryGetResolver(Module.FunctionTypeOf(function), out nint resolver);
            Volatile.Write(ref _functions[function].Code, resolver);
        }
    }

    private nint EntranceOf(int function)
    {
        if (_functions[function].Code == 0)
        {
            MakeCallable(function);
        }

        return _stubs.EntranceOf(Module.FunctionTypeOf(function));
    }

    private nint? CompileContinuation(int function, int site)
    {
        Site[] sites = SitesOf(function);
        bool isCall = sites[site].Kind == SiteKind.Call;
        int calls = _callContinuations.GetValueOrDefault(function);
        if ((isCall && calls >= CallContinuationsMax) || ContinuationPoint.At(FunctionCode.Decode(Module, function), sites[site], isAside: false) is not ContinuationPoint point)
        {
            return null;
        }

        _callContinuations[function] = calls + (isCall ? 1 : 0);
        int bytes = 0;
        nint entry = CompileAlone("c", function, site, isHurried: false, (target, il) =>
        {
            FunctionEmitter.EmitContinuation(this, target, point, sites, il, isHurried: false);
            bytes = il.ILOffset;
        });
        OptimiseLater(function, CodeForm.Continuation, site, bytes);
        return entry;
    }

    // A twin is compiled whole, for all of its sites. As long as those that a program is at take less, each is compiled alone: a capture is seldom where the last one was.
    private nint? CompileInHurry(int function, int site)
    {
        int bytesBefore = _hurriedBytes.GetValueOrDefault(function);
        Site[] sites = SitesOf(function);
        if (_twins[function] != 0
            || bytesBefore >= TwinBytesPerBodyByte * Module.BodyOf(function).Bytes
            || ContinuationPoint.At(FunctionCode.Decode(Module, function), sites[site]) is not ContinuationPoint point)
        {
            return null;
        }

        return CompileAlone("h", function, site, isHurried: true, (target, il) =>
        {
            FunctionEmitter.EmitContinuation(this, target, point, sites, il, isHurried: true);
            _hurriedBytes[function] = bytesBefore + il.ILOffset;
        });
    }

    // A twin or continuation, in a type of its own. It calls the functions of its own chunk directly, as the fast form does.
    private nint CompileAlone(string kind, int function, int site, bool isHurried, Action<CodeType, ILGenerator> emit)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"{kind}{function}_{site}");
        var target = new CodeType(_builder, name, DirectTargetFrom(function));
        emit(target, target.DefineMethod(name, ReturnTypeOf(Module.FunctionTypeOf(function)), [typeof(nint)], isHurried).GetILGenerator());
        nint entry = target.Create().GetMethod(name)!.MethodHandle.GetFunctionPointer();
        PutResolvers(target.Called);
        return entry;
    }

    // The method that is a function's first code. Its chunk is loaded if it is not yet.
    private MethodInfo MethodOf(int function)
    {
        lock (_gate)
        {
            return Load(_layout.ChunkOf(function)).MethodOf(function);
        }
    }

    private Site[]? ReadSites(int function)
    {
        int chunk = _layout.ChunkOf(function);
        if (!_siteImages.TryGetValue(chunk, out byte[]? image))
        {
            image = Module.Cached?.ReadSites(Options, chunk);
            _siteImages.Add(chunk, image);
        }

        return image is null ? null : SiteImage.Read(image, function - _layout.RangeOf(chunk).First);
    }

    private Site[] EmitForSites(int function)
    {
        AssemblyBuilder scratch = AssemblyBuilder.DefineDynamicAssembly(new AssemblyName("Everheap.Sites"), AssemblyBuilderAccess.RunAndCollect);
        var target = new CodeType(CodeType.BeginAssembly(scratch), "Sites", static _ => null);
        return EmitFunction(target, target.DefineMethod(NameOf(function), typeof(void), []).GetILGenerator(), function, CodeForm.Fast);
    }

    private Site[] EmitFunction(CodeType target, ILGenerator il, int function, CodeForm form) => function < Module.ImportedFunctionCount
        ? ImportEmitter.Emit(this, target, function, il)
        : FunctionEmitter.Emit(this, target, FunctionCode.Decode(Module, function), form, il, IsTiered);

    /// <summary>Where chunks are loaded. They refer to this assembly, wherever it was loaded, and to the runtime's.</summary>
    private sealed class CodeSpace() : AssemblyLoadContext("Everheap.Compiled", isCollectible: true)
    {
        protected override Assembly? Load(AssemblyName assemblyName) =>
            assemblyName.Name == typeof(ModuleCompiler).Assembly.GetName().Name ? typeof(ModuleCompiler).Assembly : null;
    }
}
