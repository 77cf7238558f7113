namespace Everheap.Vm.Modules;

/// <summary>A feature that WebAssembly 2.0 without vectors does not have. <see cref="Module.Features"/> says which of them a module uses.</summary>
public enum WasmFeature
{
    /// <summary>128-bit vectors.</summary>
    Simd,

    /// <summary>Vector instructions whose result may differ between processors.</summary>
    RelaxedSimd,

    /// <summary>Shared memories and atomic instructions.</summary>
    Threads,

    /// <summary>Tags, <c>throw</c>, <c>try_table</c> and <c>exnref</c>.</summary>
    Exceptions,

    /// <summary>The exceptions before WebAssembly 3.0: <c>try</c>, <c>catch</c>, <c>rethrow</c>, <c>delegate</c>.</summary>
    LegacyExceptions,

    /// <summary><c>return_call</c> and its like.</summary>
    TailCalls,

    /// <summary>Typed function references, references that cannot be null, and tables with an initial value.</summary>
    FunctionReferences,

    /// <summary>More than one memory.</summary>
    MultipleMemories,

    /// <summary>Memories and tables with 64-bit addresses.</summary>
    Memory64,

    /// <summary>Arithmetic in constant expressions, and the module's own globals in them.</summary>
    ExtendedConstants,

    /// <summary>Structures, arrays, i31, casts, recursive types and subtypes.</summary>
    GarbageCollection,
}

/// <summary>That a module uses a feature.</summary>
/// <param name="Feature">The feature.</param>
/// <param name="Offset">The lowest offset in the module's bytes at which it was seen.</param>
public readonly record struct FeatureUse(WasmFeature Feature, int Offset)
{
    /// <summary>The feature's short name, such as <c>tail-calls</c>.</summary>
    public string Name => Unsupported.NameOf(Feature);
}

/// <summary>Collects the features that a module uses, while it is decoded and validated, by several threads.</summary>
internal sealed class FeatureUses
{
    private readonly int[] _offsets = new int[(int)WasmFeature.GarbageCollection + 1];

    public FeatureUses() => _offsets.AsSpan().Fill(int.MaxValue);

    /// <summary>For each feature, the lowest offset at which it was seen, or the largest number there is.</summary>
    public ReadOnlySpan<int> Offsets => _offsets;

    /// <summary>Adds what was seen before, as <see cref="Offsets"/> says it.</summary>
    /// <returns>False if it is not what that says.</returns>
    public bool TryAdd(ReadOnlySpan<int> offsets)
    {
        if (offsets.Length != _offsets.Length)
        {
            return false;
        }

        for (int feature = 0; feature < offsets.Length; feature++)
        {
            Note((WasmFeature)feature, offsets[feature]);
        }

        return true;
    }

    /// <summary>The features, in the order of <see cref="WasmFeature"/>.</summary>
    public FeatureUse[] ToArray() =>
        [.. _offsets.Index().Where(static use => use.Item != int.MaxValue).Select(static use => new FeatureUse((WasmFeature)use.Index, use.Item))];

    /// <summary>Notes that a feature was seen. Any thread.</summary>
    public void Note(WasmFeature feature, int offset)
    {
        ref int first = ref _offsets[(int)feature];
        int known = Volatile.Read(ref first);
        while (offset < known)
        {
            int found = Interlocked.CompareExchange(ref first, offset, known);
            if (found == known)
            {
                return;
            }

            known = found;
        }
    }

    /// <summary>Notes the feature that a type belongs to, if any.</summary>
    public void Note(ValType type, int offset)
    {
        if (type is ValType.I32 or ValType.I64 or ValType.F32 or ValType.F64 or ValType.FuncRef or ValType.ExternRef)
        {
            return;
        }

        if (type == ValType.V128)
        {
            Note(WasmFeature.Simd, offset);
            return;
        }

        if (!type.IsNullable || type.IsConcrete)
        {
            Note(WasmFeature.FunctionReferences, offset);
        }

        if (!type.IsConcrete && type.AsNullable() is not (ValType.FuncRef or ValType.ExternRef))
        {
            Note(type.AsNullable() is ValType.ExnRef or ValType.NullExnRef ? WasmFeature.Exceptions : WasmFeature.GarbageCollection, offset);
        }
    }
}
