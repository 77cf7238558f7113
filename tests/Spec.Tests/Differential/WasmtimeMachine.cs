using Wasmtime;

namespace Everheap.Spec.Tests.Differential;

/// <summary>Runs generated modules under the Wasmtime package.</summary>
internal sealed class WasmtimeMachine : IDisposable
{
    private const int StackBytes = 2 << 20;

    private readonly Wasmtime.Engine _engine;
    private readonly HostState _host = new();

    /// <summary>Prepares to run.</summary>
    /// <param name="level">How well it compiles.</param>
    public WasmtimeMachine(OptimizationLevel level = OptimizationLevel.Speed) => _engine = new Wasmtime.Engine(new Config()
        .WithMaximumStackSize(StackBytes)
        .WithOptimizationLevel(level)
        .WithSIMD(true)
        .WithTailCalls(true)
        .WithExceptions(true)
        .WithFunctionReferences(true)
        .WithGc(true)
        .WithMultiMemory(true)
        .WithMemory64(true)
        .WithWasmThreads(true));

    /// <summary>Why a module is not valid, or null.</summary>
    public string? WhyInvalid(byte[] module) => Module.Validate(_engine, module);

    /// <summary>Runs a module's calls.</summary>
    public Observation Run(ModulePlan plan, byte[] bytes)
    {
        var observation = new Observation();
        _host.Clear();
        using Module module = Module.FromBytes(_engine, "generated", bytes);
        using var store = new Store(_engine);
        using Wasmtime.Linker linker = Link(store);
        Instance instance;
        try
        {
            instance = linker.Instantiate(store, module);
        }
        catch (WasmtimeException e)
        {
            observation.NoteRefusal(Describe(e));
            return observation;
        }

        foreach (string call in plan.Calls)
        {
            string? trap = null;
            try
            {
                instance.GetAction(call)!.Invoke();
            }
            catch (WasmtimeException e)
            {
                trap = Describe(e);
            }

            observation.NoteCall(call, trap, _host);
            for (int index = 0; index < plan.Memories.Count; index++)
            {
                Memory memory = instance.GetMemory(ModuleWriter.MemoryName(index))!;
                observation.NoteMemory(index, memory.GetSpan(0, (int)memory.GetLength()));
            }
        }

        return observation;
    }

    public void Dispose() => _engine.Dispose();

    private static string Describe(WasmtimeException exception) => exception is TrapException trap ? Traps.Of(trap)
        : Traps.IsUncaught(exception) ? Traps.Uncaught
        : exception.InnerException is HostFailure ? Traps.Host
        : exception.Message;

    private Wasmtime.Linker Link(Store store)
    {
        var linker = new Wasmtime.Linker(_engine);
        linker.DefineFunction(HostInterface.ModuleName, NameOf(HostInterface.LogI32), (int value) => _host.LogI32((uint)value));
        linker.DefineFunction(HostInterface.ModuleName, NameOf(HostInterface.LogI64), (long value) => _host.LogI64((ulong)value));
        linker.DefineFunction(HostInterface.ModuleName, NameOf(HostInterface.LogF32), (float value) => _host.LogF32(BitConverter.SingleToUInt32Bits(value)));
        linker.DefineFunction(HostInterface.ModuleName, NameOf(HostInterface.LogF64), (double value) => _host.LogF64(BitConverter.DoubleToUInt64Bits(value)));
        linker.DefineFunction(HostInterface.ModuleName, NameOf(HostInterface.LogExtern), (object? value) => _host.LogExtern((int?)value));
        linker.DefineFunction(HostInterface.ModuleName, NameOf(HostInterface.Mix), (int a, long b, float c, double d) =>
            (long)_host.Mix((uint)a, (ulong)b, BitConverter.SingleToUInt32Bits(c), BitConverter.DoubleToUInt64Bits(d)));
        linker.DefineFunction(HostInterface.ModuleName, NameOf(HostInterface.Split), (long value) =>
        {
            (uint word, ulong real, ulong wide) = _host.Split((ulong)value);
            return ValueTuple.Create((int)word, BitConverter.UInt64BitsToDouble(real), (long)wide);
        });
        linker.DefineFunction(HostInterface.ModuleName, NameOf(HostInterface.Poke), (CallerFunc<int, long, int>)Poke);
        linker.DefineFunction(HostInterface.ModuleName, NameOf(HostInterface.MakeExtern), (int number) => (object?)_host.MakeExtern((uint)number));
        linker.DefineFunction(HostInterface.ModuleName, NameOf(HostInterface.Fail), (int number) =>
        {
            if (_host.Fail((uint)number))
            {
                throw new HostFailure();
            }
        });
        foreach (HostGlobalPlan plan in HostInterface.Globals)
        {
            linker.Define(HostInterface.ModuleName, plan.Name, GlobalOf(store, plan));
        }

        return linker;
    }

    private static Global GlobalOf(Store store, HostGlobalPlan plan) => plan.Type switch
    {
        Vm.Modules.ValType.I32 => new Global(store, ValueKind.Int32, (int)plan.Bits, Mutability.Immutable),
        Vm.Modules.ValType.I64 => new Global(store, ValueKind.Int64, (long)plan.Bits, Mutability.Immutable),
        Vm.Modules.ValType.F32 => new Global(store, ValueKind.Float32, BitConverter.UInt32BitsToSingle((uint)plan.Bits), Mutability.Immutable),
        _ => new Global(store, ValueKind.Float64, BitConverter.UInt64BitsToDouble(plan.Bits), Mutability.Immutable),
    };

    private int Poke(Caller caller, int address, long value)
    {
        Memory? memory = caller.GetMemory(ModuleWriter.MemoryName(0));
        if (!_host.Poke((uint)address, (ulong)value, (ulong)(memory?.GetLength() ?? 0)))
        {
            return 0;
        }

        memory!.WriteInt64((uint)address, value);
        return 1;
    }

    private static string NameOf(int function) => HostInterface.Functions[function].Name;

    private sealed class HostFailure : Exception;
}
