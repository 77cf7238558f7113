using System.Buffers.Binary;
using Everheap.Engine;
using Everheap.Vm;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;
using Everheap.Vm.Wasi;

namespace Everheap.Spec.Tests.Differential;

/// <summary>How Everheap runs a generated module.</summary>
/// <param name="Name">The way's name, for reports.</param>
/// <param name="Options">Options of instances.</param>
/// <param name="ResumesAt">At these captures the run is taken up by another instance, from the heap.</param>
/// <param name="HostRetryEvery">Every so many calls of the host, it asks to be called again after a capture; 0 for never.</param>
/// <param name="HasSmallBudget">Whether the resident budget is the smallest, so that pages of a large memory are evicted.</param>
internal sealed record RunWay(string Name, InstanceOptions Options, IReadOnlyList<int> ResumesAt, int HostRetryEvery = 0, bool HasSmallBudget = false);

/// <summary>Runs generated modules in heaps.</summary>
internal sealed class EverheapMachine : IDisposable
{
    // Each instance takes address space of its heap, which is not given back.
    private const int InstancesOfAHeapMax = 100;
    private const long UsualResidentBytes = 64L << 20;

    private readonly string _folder;
    private readonly HostState _host = new();
    private readonly HostFunction[] _functions;
    private readonly ulong[] _globals;
    private readonly Module _globalsModule;
    private readonly Dictionary<bool, Heap> _heaps = [];
    private RunWay? _way;
    private long _hostCalls;
    private bool _hasFailed;
    private int _captures;

    /// <summary>Prepares to run.</summary>
    /// <param name="folder">Where the heaps' files go, for as long as this lives.</param>
    /// <param name="globals">The values of <see cref="HostInterface.Globals"/>.</param>
    public EverheapMachine(string folder, ulong[] globals)
    {
        _folder = folder;
        _globals = globals;
        _globalsModule = Module.Decode(Wasmtime.Module.ConvertText(
            $"(module {string.Concat(HostInterface.Globals.Select(global => $"(global (export \"{global.Name}\") {ValTypes.NameOf(global.Type)} ({ValTypes.NameOf(global.Type)}.const 0))"))})"));
        _functions =
        [
            .. HostInterface.Functions.Select((plan, index) => new HostFunction(
                plan.Type, (caller, arguments, results) => CallHost(index, caller.HostMemory, arguments, results)) { Names = ("host", plan.Name) }),
        ];
    }

    /// <summary>How many stacks were captured.</summary>
    public long Captures { get; private set; }

    /// <summary>How many instances took up what another had left.</summary>
    public long Resumes { get; private set; }

    /// <summary>Runs a module's calls.</summary>
    public Observation Run(ModulePlan plan, Module module, RunWay way)
    {
        _way = way;
        _captures = 0;
        _hostCalls = 0;
        _host.Clear();
        var observation = new Observation();
        PersistentHeap heap = HeapFor(way);
        InstanceGroup group = InstanceGroup.Create(heap, new MachineHeader(), way.Options);
        try
        {
            External[] globals = MakeGlobals(group);
            group.Instantiate(module, [.. _functions, .. globals]);
        }
        catch (WasmTrapException e)
        {
            group.Dispose();
            observation.NoteRefusal(Traps.Of(e.Trap.Reason.Split(" (", 2)[0]));
            return observation;
        }

        try
        {
            if (module.StartFunction is int start && Call(ref group, heap, start) is string refusal)
            {
                observation.NoteRefusal(refusal);
                return observation;
            }

            foreach (string call in plan.Calls)
            {
                int function = module.Exports.First(export => export.Name == call).Index;
                observation.NoteCall(call, Call(ref group, heap, function), _host);
                foreach ((int index, LinearMemory memory) in group.Instances[^1].Memories.Index())
                {
                    var contents = new byte[memory.Length];
                    memory.Read(0, contents);
                    observation.NoteMemory(index, contents);
                }
            }
        }
        finally
        {
            group.Dispose();
        }

        return observation;
    }

    public void Dispose()
    {
        foreach (Heap heap in _heaps.Values)
        {
            heap.Dispose();
        }
    }

    // The instance under test is the last, behind the one that has the globals.
    private string? Call(ref InstanceGroup group, PersistentHeap heap, int function)
    {
        _hasFailed = false;
        group.PushCall(group.Instances[^1], function, []);
        RunOutcome outcome = group.Run(GoesOn);
        while (outcome == RunOutcome.Paused)
        {
            Resumes++;
            group.Save();
            group.Dispose();
            group = InstanceGroup.Open(heap, group.Header, (names, _) => Array.Find(_functions, known => known.Names == names)!, _way!.Options);
            outcome = group.Run(GoesOn);
        }

        if (outcome == RunOutcome.Returned)
        {
            return null;
        }

        // A trap leaves the frames that were running on the stack, for its backtrace.
        group.Stack.Truncate(0);
        return _hasFailed ? Traps.Host : Traps.Of(group.Trap.Kind.Describe());
    }

    private unsafe External[] MakeGlobals(InstanceGroup group)
    {
        Instance owner = group.Instantiate(_globalsModule, []);
        for (int index = 0; index < _globals.Length; index++)
        {
            *owner.GlobalUnits(index) = _globals[index];
        }

        return [.. _globals.Select((_, index) => owner.ExternalOf(ExternalKind.Global, index))];
    }

    private bool GoesOn()
    {
        Captures++;
        _captures++;
        return !_way!.ResumesAt.Contains(_captures);
    }

    private PersistentHeap HeapFor(RunWay way)
    {
        if (!_heaps.TryGetValue(way.HasSmallBudget, out Heap? heap) || heap.Instances >= InstancesOfAHeapMax)
        {
            heap?.Dispose();
            string path = Path.Combine(_folder, $"{Guid.NewGuid():n}.heap");
            heap = new Heap(path, way.HasSmallBudget ? HeapStoreOptions.ResidentBytesMin : UsualResidentBytes);
            _heaps[way.HasSmallBudget] = heap;
        }

        heap.Instances++;
        return heap.Contents;
    }

    private HostOutcome CallHost(int function, GuestMemory memory, ReadOnlySpan<ulong> arguments, Span<ulong> results)
    {
        _hostCalls++;
        if (_way!.HostRetryEvery > 0 && _hostCalls % _way.HostRetryEvery == 0)
        {
            return HostOutcome.Retry;
        }

        switch (function)
        {
            case HostInterface.LogI32:
                _host.LogI32((uint)arguments[0]);
                break;
            case HostInterface.LogI64:
                _host.LogI64(arguments[0]);
                break;
            case HostInterface.LogF32:
                _host.LogF32((uint)arguments[0]);
                break;
            case HostInterface.LogF64:
                _host.LogF64(arguments[0]);
                break;
            case HostInterface.LogExtern:
                _host.LogExtern(arguments[0] == 0 ? null : (int)(arguments[0] - 1));
                break;
            case HostInterface.Mix:
                results[0] = _host.Mix((uint)arguments[0], arguments[1], (uint)arguments[2], arguments[3]);
                break;
            case HostInterface.Split:
                (results[0], results[1], results[2]) = _host.Split(arguments[0]);
                break;
            case HostInterface.Poke:
                results[0] = Poke(memory, (uint)arguments[0], arguments[1]) ? 1u : 0u;
                break;
            case HostInterface.MakeExtern:
                results[0] = (ulong)(uint)_host.MakeExtern((uint)arguments[0]) + 1;
                break;
            default:
                _hasFailed = _host.Fail((uint)arguments[0]);
                return _hasFailed ? HostOutcome.Trap : HostOutcome.Completed;
        }

        return HostOutcome.Completed;
    }

    private bool Poke(GuestMemory memory, uint address, ulong value)
    {
        if (!_host.Poke(address, value, memory.Length))
        {
            return false;
        }

        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        memory.Write(address, bytes);
        return true;
    }

    /// <summary>A heap in a file of its own.</summary>
    private sealed class Heap : IDisposable
    {
        private readonly string _path;
        private readonly HeapStore _store;

        public Heap(string path, long residentBytes)
        {
            _path = path;
            _store = HeapStore.Create(path, new HeapStoreOptions { ResidentBytes = residentBytes });
            Contents = _store.CreateHeap("generated");
        }

        public PersistentHeap Contents { get; }

        public int Instances { get; set; }

        public void Dispose()
        {
            Contents.Dispose();
            _store.Dispose();
            File.Delete(_path);
        }
    }
}
