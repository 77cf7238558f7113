namespace Everheap.Vm.Embedding;

/// <summary>A reference to a host object, as guests hold it: a number, which the heap keeps. See <see cref="ExternalReferences"/>.</summary>
/// <param name="Number">The number; 0 is null.</param>
public readonly record struct ExternalReference(ulong Number)
{
    /// <summary>The null reference.</summary>
    public static ExternalReference Null => default;

    /// <summary>Whether it is null.</summary>
    public bool IsNull => Number == 0;
}

/// <summary>
/// The host objects of a machine that guests hold references to. Guests keep numbers; what they stand for is the host's: it gives objects again, under the same numbers, to a machine that was opened from its heap.
/// </summary>
public sealed class ExternalReferences
{
    private readonly Dictionary<ulong, object> _objects = [];
    private ulong _last;

    /// <summary>Gives an object the next free number.</summary>
    /// <param name="value">The object; it is kept until <see cref="Remove"/>.</param>
    /// <returns>The reference.</returns>
    public ExternalReference Add(object value)
    {
        ArgumentNullException.ThrowIfNull(value);
        _objects.Add(++_last, value);
        return new ExternalReference(_last);
    }

    /// <summary>Gives an object a number of the host's choice, instead of what had it.</summary>
    /// <param name="reference">The reference; not null.</param>
    /// <param name="value">The object.</param>
    public void Bind(ExternalReference reference, object value)
    {
        ArgumentOutOfRangeException.ThrowIfZero(reference.Number);
        ArgumentNullException.ThrowIfNull(value);
        _objects[reference.Number] = value;
        _last = Math.Max(_last, reference.Number);
    }

    /// <summary>Finds the object of a reference.</summary>
    /// <param name="reference">The reference.</param>
    /// <returns>The object; null where the reference is null, or nothing was given its number.</returns>
    public object? Find(ExternalReference reference) => _objects.GetValueOrDefault(reference.Number);

    /// <summary>Forgets an object that no guest uses any more.</summary>
    /// <param name="reference">Its reference.</param>
    /// <returns>Whether there was one.</returns>
    public bool Remove(ExternalReference reference) => _objects.Remove(reference.Number);
}
