namespace Everheap.Vm.Execution;

/// <summary>
/// Four variables of compiled code in one local: the JIT takes a method into another only if it has few locals, and makes the fields of such a local variables of their own.
/// </summary>
/// <typeparam name="T">Their type.</typeparam>
internal struct LocalQuad<T>
{
    /// <summary>The first.</summary>
    public T A;

    /// <summary>The second.</summary>
    public T B;

    /// <summary>The third.</summary>
    public T C;

    /// <summary>The fourth.</summary>
    public T D;
}
