using Everheap.Cli.Torture.Model;

namespace Everheap.Cli.Torture.Operations;

/// <summary>An operation on the store that is durable when it returns, and changes nothing if there is no room for it.</summary>
internal abstract class DurableOperation(HeapTrack heap) : Operation
{
    private HeapModel? _next;

    /// <summary>The heap whose state it changes.</summary>
    protected HeapTrack Heap { get; } = heap;

    /// <summary>The state that the heap has afterwards; null: none.</summary>
    protected abstract HeapModel? Next();

    /// <inheritdoc/>
    public override void Sent()
    {
        _next = Next();
        Heap.Doubt(_next);
    }

    /// <inheritdoc/>
    public override void Done(BinaryReader reply) => Heap.Settle(_next);

    /// <inheritdoc/>
    public override void Full(BinaryReader reply) => Heap.Withdraw();

    /// <inheritdoc/>
    public override string ToString() => $"{Kind} of {Heap.Name}";
}
