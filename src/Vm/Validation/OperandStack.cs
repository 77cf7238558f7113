using System.Numerics;
using System.Runtime.InteropServices;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Validation;

/// <summary>
/// The types on the operand stack (the vals of the validation algorithm, core specification, appendix). Values below
/// <see cref="Floor"/> belong to the blocks around.
/// </summary>
/// <remarks>
/// Invariants: Floor &lt;= Height &lt;= <see cref="ModuleLimits.OperandsMax"/>. Where the code is unreachable, the stack holds any number of
/// values of <see cref="ValType.Bottom"/> on its floor. Lists are compared a vector at a time, so that a call or
/// branch with a thousand types costs no more to validate than its bytes suggest; subtypes are looked for where types differ only.
/// </remarks>
/// <param name="subtypes">Which types may stand for which.</param>
internal sealed class OperandStack(Subtypes subtypes)
{
    private const int FirstCapacity = 256;

    private ValType[] _types = new ValType[FirstCapacity];

    /// <summary>How many types are there.</summary>
    public int Height { get; private set; }

    /// <summary>The height at which the current block began.</summary>
    public int Floor { get; set; }

    /// <summary>Whether the rest of the current block cannot be reached.</summary>
    public bool IsUnreachable { get; set; }

    /// <summary>Whether any number of values of every type can be taken: the code is unreachable, and no value of a known type is left.</summary>
    public bool HasAnyNumberOfAll => IsUnreachable && Height == Floor;

    public void Clear()
    {
        Height = 0;
        Floor = 0;
        IsUnreachable = false;
    }

    public void Push(ValType type, int offset)
    {
        if (Height == _types.Length)
        {
            Grow(Height + 1, offset);
        }

        _types[Height++] = type;
    }

    public void Push(ReadOnlySpan<ValType> types, int offset)
    {
        if (types.Length > _types.Length - Height)
        {
            Grow(Height + types.Length, offset);
        }

        types.CopyTo(_types.AsSpan(Height));
        Height += types.Length;
    }

    /// <summary>Takes the topmost value, whatever its type.</summary>
    /// <param name="type">Its type; <see cref="ValType.Bottom"/> where any is possible.</param>
    /// <returns>False where there is none.</returns>
    public bool TryPop(out ValType type)
    {
        if (Height == Floor)
        {
            type = ValType.Bottom;
            return IsUnreachable;
        }

        type = _types[--Height];
        return true;
    }

    /// <summary>Takes the topmost value if it has a type, or a subtype of it.</summary>
    public bool TryPop(ValType expected)
    {
        if (Height == Floor)
        {
            return IsUnreachable;
        }

        ValType found = _types[Height - 1];
        if (found != expected && !subtypes.IsSubtype(found, expected))
        {
            return false;
        }

        Height--;
        return true;
    }

    /// <summary>Takes the topmost values if they have the types.</summary>
    public bool TryPop(ReadOnlySpan<ValType> expected)
    {
        if (!IsTop(expected))
        {
            return false;
        }

        Height = Math.Max(Height - expected.Length, Floor);
        return true;
    }

    /// <summary>Whether the topmost values have the types.</summary>
    public bool IsTop(ReadOnlySpan<ValType> expected)
    {
        int available = Height - Floor;
        if (available < expected.Length)
        {
            if (!IsUnreachable)
            {
                return false;
            }

            expected = expected[^available..];
        }

        return Match(_types.AsSpan(Height - expected.Length, expected.Length), expected);
    }

    /// <summary>The current block's types from bottom to top, for messages.</summary>
    public ReadOnlySpan<ValType> InBlock => _types.AsSpan(Floor, Height - Floor);

    /// <summary>Drops the current block's values and makes the rest of the block unreachable.</summary>
    public void MakeUnreachable()
    {
        Height = Floor;
        IsUnreachable = true;
    }

    private bool Match(ReadOnlySpan<ValType> found, ReadOnlySpan<ValType> expected)
    {
        ReadOnlySpan<uint> left = MemoryMarshal.Cast<ValType, uint>(found);
        ReadOnlySpan<uint> right = MemoryMarshal.Cast<ValType, uint>(expected);
        int i = 0;
        for (; i <= left.Length - Vector<uint>.Count; i += Vector<uint>.Count)
        {
            var type = new Vector<uint>(left[i..]);
            Vector<uint> fits = Vector.Equals(type, new Vector<uint>(right[i..])) | Vector.Equals(type, Vector<uint>.Zero);
            if (!Vector.EqualsAll(fits, Vector<uint>.AllBitsSet) && !subtypes.AreSubtypes(found.Slice(i, Vector<uint>.Count), expected.Slice(i, Vector<uint>.Count)))
            {
                return false;
            }
        }

        return subtypes.AreSubtypes(found[i..], expected[i..]);
    }

    private void Grow(int needed, int offset)
    {
        if (needed > ModuleLimits.OperandsMax)
        {
            throw new WasmFormatException(
                offset, $"too many operands: {needed:N0} on the stack at once, where at most {ModuleLimits.OperandsMax:N0} are allowed");
        }

        Array.Resize(ref _types, Math.Min(Math.Max(needed, 2 * _types.Length), ModuleLimits.OperandsMax));
    }
}
