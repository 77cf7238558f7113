namespace Everheap.Vm.Validation;

/// <summary>
/// Which of a function's locals that have no initial value have been set (core specification, section 3.4.1 and the appendix): what a block sets is forgotten at its end.
/// Cost: nothing for functions that have no such locals.
/// </summary>
internal sealed class SetLocals
{
    private readonly HashSet<int> _set = [];
    private readonly List<int> _order = [];

    /// <summary>How many were set and are not forgotten.</summary>
    public int Count => _order.Count;

    public bool Contains(int local) => _set.Contains(local);

    public void Add(int local)
    {
        if (_set.Add(local))
        {
            _order.Add(local);
        }
    }

    /// <summary>Forgets all but those that were set first.</summary>
    public void Truncate(int count)
    {
        for (int i = _order.Count - 1; i >= count; i--)
        {
            _set.Remove(_order[i]);
        }

        if (count < _order.Count)
        {
            _order.RemoveRange(count, _order.Count - count);
        }
    }
}
