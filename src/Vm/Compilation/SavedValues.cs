namespace Everheap.Vm.Compilation;

/// <summary>The values that are saved at a site: what they are to WebAssembly, and how the code has them there.</summary>
/// <param name="capacity">How many there may be.</param>
internal sealed class SavedValues(int capacity)
{
    private readonly List<SiteValue> _values = new(capacity);
    private readonly List<Node> _nodes = new(capacity);

    /// <summary>What they are, in the order in which records hold them.</summary>
    public IReadOnlyList<SiteValue> Values => _values;

    /// <summary>How the code has them, in the same order.</summary>
    public IReadOnlyList<Node> Nodes => _nodes;

    public void Add(SiteValue value, Node node)
    {
        _values.Add(value);
        _nodes.Add(node);
    }
}
