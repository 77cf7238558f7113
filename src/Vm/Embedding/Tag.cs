using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Embedding;

/// <summary>A tag of exceptions. A host passes it on from instance to instance; it throws and catches none itself.</summary>
public sealed class Tag
{
    internal Tag(Machine machine, ExternalTag tag)
    {
        Machine = machine;
        External = tag;
    }

    /// <summary>The type of what its exceptions carry: parameters, and no results.</summary>
    public FunctionType Type => External.Type;

    internal ExternalTag External { get; }

    internal Machine Machine { get; }
}
