using Everheap.Engine;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests.Execution;

/// <summary>An instance of a module in the text format, in a heap of its own.</summary>
internal sealed class TextMachine : IDisposable
{
    private readonly string _path = Path.Combine(TestContext.CurrentContext.WorkDirectory, $"text-{Guid.NewGuid():n}.heap");
    private readonly HeapStore _store;
    private readonly PersistentHeap _heap;
    private readonly MachineHeader _header = new();
    private readonly InstanceOptions _options;

    /// <summary>Makes an instance.</summary>
    /// <param name="text">The module.</param>
    /// <param name="options">How it is run.</param>
    /// <param name="residentBytes">The store's budget.</param>
    public TextMachine(string text, InstanceOptions options, long residentBytes = 16 << 20)
    {
        _options = options;
        _store = HeapStore.Create(_path, new HeapStoreOptions { ResidentBytes = residentBytes });
        _heap = _store.CreateHeap("text");
        Group = InstanceGroup.Create(_heap, _header, options);
        Group.Instantiate(Module.Decode(Wasmtime.Module.ConvertText(text)), []);
    }

    /// <summary>The instance's group; another one after a resume.</summary>
    public InstanceGroup Group { get; private set; }

    /// <summary>Calls an exported function.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="onCaptured">Called at every capture; says whether to go on.</param>
    /// <param name="arguments">Its arguments.</param>
    public RunOutcome Call(string name, Func<bool> onCaptured, params ulong[] arguments)
    {
        Instance instance = Group.Instances[0];
        Group.PushCall(instance, instance.Module.Exports.First(export => export.Name == name).Index, arguments);
        return Group.Run(onCaptured);
    }

    /// <summary>Calls an exported function that returns, and gives its first result.</summary>
    public ulong Call(string name, params ulong[] arguments)
    {
        Assert.That(Call(name, () => true, arguments), Is.EqualTo(RunOutcome.Returned));
        return Group.Results[0];
    }

    /// <summary>Writes the state into the heap, and goes on with what is read from there.</summary>
    public void Reopen()
    {
        Group.Save();
        Group.Dispose();
        Group = InstanceGroup.Open(_heap, _header, (names, _) => throw new InvalidOperationException($"{names} is not imported"), _options);
    }

    /// <summary>The functions of the frames on the captured stack, innermost first.</summary>
    public List<int> FunctionsOnStack()
    {
        (List<Vm.StackFrame> frames, _) = Backtraces.Read(number => Group.Instances[number].Module, _heap.Read, Group.Stack.Address, Group.Stack.Bytes);
        return [.. frames.Select(frame => frame.FunctionIndex)];
    }

    public void Dispose()
    {
        Group.Dispose();
        _heap.Dispose();
        _store.Dispose();
        File.Delete(_path);
    }
}
