namespace Everheap.Vm.Embedding;

/// <summary>The guest that calls a host function: what a delegate gets that has this as its first parameter. It is good for as long as the call lasts.</summary>
public readonly struct Caller
{
    private Caller(Instance instance) => Instance = instance;

    /// <summary>The instance that calls.</summary>
    public Instance Instance { get; }

    /// <summary>The machine.</summary>
    public Machine Machine => Instance.Machine;

    /// <summary>A memory that the caller exports.</summary>
    /// <param name="name">The name.</param>
    /// <returns>The memory.</returns>
    /// <exception cref="LinkException">There is no memory of that name.</exception>
    public Memory GetMemory(string name = "memory") => Instance.GetMemory(name);

    /// <summary>A function that the caller exports; it may be called.</summary>
    /// <param name="name">The name.</param>
    /// <returns>The function.</returns>
    /// <exception cref="LinkException">There is no function of that name.</exception>
    public Function GetFunction(string name) => Instance.GetFunction(name);

    internal static Caller Of(Execution.Instance instance) => new(instance.Group.Owner!.InstanceOf(instance));
}
