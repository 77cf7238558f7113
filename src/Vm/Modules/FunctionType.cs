namespace Everheap.Vm.Modules;

/// <summary>
/// A function type: parameters and results. Two with the same lists are equal, but may yet be two types of a module if they stand in different recursion groups:
/// <see cref="Module.CanonicalTypeIndex"/> says whether they are one.
/// </summary>
/// <param name="parameters">The parameter types, in order.</param>
/// <param name="results">The result types, in order.</param>
public sealed class FunctionType(ValType[] parameters, ValType[] results) : CompositeType, IEquatable<FunctionType>
{
    private readonly ValType[] _parameters = parameters;
    private readonly ValType[] _results = results;

    /// <summary>The parameter types, in order.</summary>
    public ReadOnlySpan<ValType> Parameters => _parameters;

    /// <summary>The result types, in order.</summary>
    public ReadOnlySpan<ValType> Results => _results;

    internal override ValType AbstractReference => ValType.FuncRef;

    /// <inheritdoc/>
    public bool Equals(FunctionType? other) =>
        other is not null && Parameters.SequenceEqual(other.Parameters) && Results.SequenceEqual(other.Results);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as FunctionType);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.AddBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes(Parameters));
        hash.Add(-1);
        hash.AddBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes(Results));
        return hash.ToHashCode();
    }

    /// <summary>The type as <c>(i32, i64) -> (f64)</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"({Join(_parameters)}) -> ({Join(_results)})";

    private static string Join(ValType[] types) =>
        string.Join(", ", types.Select(static type => ValTypes.NameOf(type)));
}
