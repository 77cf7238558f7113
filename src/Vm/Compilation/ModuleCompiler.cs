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
internal sealed unsafe class ModuleCompiler
{
    /// <summary>Calls of a function that may have continuations; behind further ones it goes on in its twin. The loops of those that may have any are few.</summary>
    private const int CallContinuationsMax = 8;

    /// <summary>
    /// Bytes of a function's body from which it counts as large, in one piece and by pages: its code may be more than the JIT optimises. It is called through the table of functions, so that better code can take
    /// its place.
    /// </summary>
    private const int LargeBytes = 4000;
    private const int LargeBytesPaged = 2000;

    private readonly Lock _gate = new();
    private readonly CodeSpace _space = new();
    private readonly ModuleBuilder _builder;
    private readonly SignatureStubs _stubs;
    private readonly ChunkLayout _layout;
    private readonly CompiledChunk?[] _chunks;
    private readonly Site[]?[] _sites;
    private readonly Dictionary<int, byte[]?> _siteImages = [];
    private readonly Dictionary<(int Function, int Site), nint> _continuations = [];
    private readonly Dictionary<int, int> _callContinuations = [];
    private readonly HashSet<int> _largeCalled = [];
    private int _replacements;
    private readonly int[] _signatures;
    private readonly TableEntry* _functions;
    private readonly nint* _twins;

    /// <summary>Prepares a module's code.</summary>
    /// <param name="module">The module.</param>
    /// <param name="options">Which code.</param>
    public ModuleCompiler(Module module, CodeOptions options)
    {
        Module = module;
        Globals = GlobalLayout.Of(module);
        Options = options;
        _builder = CodeType.BeginAssembly(AssemblyBuilder.DefineDynamicAssembly(new AssemblyName("Everheap.Compiled"), AssemblyBuilderAccess.RunAndCollect));
        _stubs = new SignatureStubs(_builder);
        _layout = ChunkLayout.Of(module, options.ChunkBytes);
        _chunks = new CompiledChunk?[_layout.Count];
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

    /// <summary>How the code reaches the memory.</summary>
    public Addressing Addressing => Options.Addressing;

    /// <summary>Where greater than zero, safepoints count down from this and then ask for a capture.</summary>
    public int StressInterval => Options.StressInterval;

    /// <summary>The table of functions, by index. A code that is 0 must be asked for with <see cref="EntryOf"/>.</summary>
    public TableEntry* Functions => _functions;

    /// <summary>How often better code has taken the place of a function's.</summary>
    public int Replacements => Volatile.Read(ref _replacements);

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

    /// <summary>Whether a function may be too large for the JIT, and is called through the table of functions.</summary>
    public bool IsLarge(int function)
    {
        if (function < Module.ImportedFunctionCount)
        {
            return false;
        }

        FunctionBody body = Module.Bodies[function - Module.ImportedFunctionCount];
        return body.End - body.Start >= (Addressing == Addressing.Paged ? LargeBytesPaged : LargeBytes);
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
        RuntimeHelpers.PrepareMethod(HandleOf(function));
    }

    /// <summary>Has the JIT make the machine code of a function, unless it is a large one.</summary>
    /// <param name="chunk">Its chunk, which is loaded.</param>
    /// <param name="number">Its number there.</param>
    /// <returns>False if there is none of that number.</returns>
    public bool PrepareInChunk(int chunk, int number)
    {
        (int first, int end) = _layout.RangeOf(chunk);
        int function = first + number;
        if (function < end && !IsLarge(function))
        {
            RuntimeHelpers.PrepareMethod(HandleOf(function));
        }

        return function < end;
    }

    /// <summary>Compiles a large function once more, in a <see cref="Shell"/>, and puts that in the place of its code. It takes seconds.</summary>
    /// <param name="function">The function.</param>
    /// <param name="form">Which form of it.</param>
    /// <param name="site">The site of a continuation; else -1.</param>
    public void Optimise(int function, CodeForm form, int site)
    {
        RuntimeMethodHandle method;
        lock (_gate)
        {
            FunctionType type = Module.FunctionTypeOf(function);
            bool isFast = form == CodeForm.Fast;
            (method, IReadOnlyCollection<int> called) = Build(
                form switch { CodeForm.Fast => "o", CodeForm.Twin => "p", _ => "q" }, function, site, isFast ? ParameterTypesOf(type) : [typeof(nint)], (target, shell) =>
                {
                    FunctionCode code = FunctionCode.Decode(Module, function);
                    ILGenerator il = Shell.Around(target, shell, isFast ? type.Parameters.Length : 0, code);
                    if (form == CodeForm.Continuation)
                    {
                        FunctionEmitter.EmitContinuation(this, target, ContinuationPoint.At(code, SitesOf(function)[site])!, SitesOf(function), il, isInShell: true);
                    }
                    else
                    {
                        FunctionEmitter.Emit(this, target, code, form, il, isInShell: true);
                    }
                });
            PutResolvers(called);
        }

        RuntimeHelpers.PrepareMethod(method);
        nint entry = method.GetFunctionPointer();
        if (form == CodeForm.Fast)
        {
            Volatile.Write(ref _functions[function].Code, entry);
            Interlocked.Increment(ref _replacements);
            return;
        }

        lock (_gate)
        {
            if (form == CodeForm.Continuation)
            {
                _continuations[(function, site)] = entry;
                return;
            }

            foreach ((int Function, int Site) place in _continuations.Where(known => known.Value == _twins[function]).Select(known => known.Key).ToArray())
            {
                _continuations[place] = entry;
            }

            _twins[function] = entry;
        }
    }

    /// <summary>The entry point of a function's twin, which is compiled the first time; it takes the context alone.</summary>
    public nint TwinEntryOf(int function)
    {
        lock (_gate)
        {
            if (_twins[function] == 0)
            {
                int bytes = 0;
                _twins[function] = CompileAlone("t", function, -1, (target, il) =>
                {
                    EmitFunction(target, il, function, CodeForm.Twin);
                    bytes = il.ILOffset;
                });
                OptimiseLater(function, CodeForm.Twin, -1, bytes);
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
                entry = SitesOf(function)[site].Kind == SiteKind.Entry ? EntranceOf(function) : CompileContinuation(function, site) ?? TwinEntryOf(function);
                _continuations.Add((function, site), entry);
            }

            return entry;
        }
    }

    private static int[] NumberSignatures(Module module)
    {
        var signatures = new int[module.Types.Count];
        for (int index = 0; index < signatures.Length; index++)
        {
            signatures[index] = module.CanonicalTypeIndex(index) + 1;
        }

        return signatures;
    }

    private CompiledChunk Load(int chunk)
    {
        if (_chunks[chunk] is CompiledChunk loaded)
        {
            return loaded;
        }

        if (Module.Cached?.ReadChunk(Options, chunk) is ChunkImage kept && TryLoad(chunk, kept) is CompiledChunk known)
        {
            return known;
        }

        (int first, int end) = _layout.RangeOf(chunk);
        ChunkImage image = CompiledChunk.Emit(this, first, end, (target, il, function) => _sites[function] = EmitFunction(target, il, function, CodeForm.Fast));
        loaded = Load(chunk, image);
        if (Module.Cached is not null)
        {
            Module.Cached.WriteChunk(Options, chunk, image);
            Module.Cached.WriteSites(Options, chunk, SiteImage.Write([.. _sites[first..end]!]));
        }

        return loaded;
    }

    // What a cache has kept, and is no assembly, is made anew.
    private CompiledChunk? TryLoad(int chunk, ChunkImage image)
    {
        try
        {
            return Load(chunk, image);
        }
        catch (BadImageFormatException)
        {
            return null;
        }
    }

    private CompiledChunk Load(int chunk, ChunkImage image)
    {
        if (_layout.Count > 1)
        {
            PutResolvers(image.Called);
        }

        CompiledChunk loaded = CompiledChunk.Load(image, _layout.RangeOf(chunk).First, _functions, _space);
        _chunks[chunk] = loaded;
        (int first, int end) = _layout.RangeOf(chunk);
        PutResolvers(Enumerable.Range(first, end - first).Where(IsLarge));
        Optimiser.AddChunk(this, chunk);
        return loaded;
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

    private void OptimiseLater(int function, CodeForm form, int site, int bytes)
    {
        if (bytes is > Shell.PlainBytesMax and <= Shell.BytesMax)
        {
            Optimiser.Add(this, function, form, site);
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
        if ((isCall && calls >= CallContinuationsMax) || ContinuationPoint.At(FunctionCode.Decode(Module, function), sites[site]) is not ContinuationPoint point)
        {
            return null;
        }

        _callContinuations[function] = calls + (isCall ? 1 : 0);
        int bytes = 0;
        nint entry = CompileAlone("c", function, site, (target, il) =>
        {
            FunctionEmitter.EmitContinuation(this, target, point, sites, il, isInShell: false);
            bytes = il.ILOffset;
        });
        OptimiseLater(function, CodeForm.Continuation, site, bytes);
        return entry;
    }

    // A twin or continuation, in a type of its own. It calls the functions of its own chunk directly, as the fast form does.
    private nint CompileAlone(string kind, int function, int site, Action<CodeType, ILGenerator> emit)
    {
        (RuntimeMethodHandle method, IReadOnlyCollection<int> called) =
            Build(kind, function, site, [typeof(nint)], (target, method) => emit(target, method.GetILGenerator()));
        nint entry = method.GetFunctionPointer();
        PutResolvers(called);
        return entry;
    }

    private (RuntimeMethodHandle Method, IReadOnlyCollection<int> Called) Build(
        string kind, int function, int site, Type[] parameterTypes, Action<CodeType, MethodBuilder> emit)
    {
        int own = _layout.ChunkOf(function);
        CompiledChunk chunk = Load(own);
        string name = string.Create(CultureInfo.InvariantCulture, $"{kind}{function}_{site}");
        var target = new CodeType(_builder, name, called => _layout.ChunkOf(called) == own && !IsLarge(called) ? chunk.MethodOf(called) : null);
        MethodBuilder method = target.DefineMethod(name, ReturnTypeOf(Module.FunctionTypeOf(function)), parameterTypes);
        emit(target, method);
        return (target.Create().GetMethod(name)!.MethodHandle, target.Called);
    }

    // The method of a function whose chunk is loaded.
    private RuntimeMethodHandle HandleOf(int function)
    {
        lock (_gate)
        {
            return _chunks[_layout.ChunkOf(function)]!.MethodOf(function).MethodHandle;
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
        : FunctionEmitter.Emit(this, target, FunctionCode.Decode(Module, function), form, il);

    /// <summary>Where chunks are loaded. They refer to this assembly, wherever it was loaded, and to the runtime's.</summary>
    private sealed class CodeSpace() : AssemblyLoadContext("Everheap.Compiled", isCollectible: true)
    {
        protected override Assembly? Load(AssemblyName assemblyName) =>
            assemblyName.Name == typeof(ModuleCompiler).Assembly.GetName().Name ? typeof(ModuleCompiler).Assembly : null;
    }
}
