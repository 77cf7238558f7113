using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>The kinds of places at which a compiled function can be left and entered again.</summary>
internal enum SiteKind
{
    /// <summary>Before a function's first instruction.</summary>
    Entry = 0,

    /// <summary>At a loop's header.</summary>
    Loop = 1,

    /// <summary>After a call, or the growth of a memory.</summary>
    Call = 2,

    /// <summary>At a memory access that missed; entered again at once, never stored.</summary>
    Access = 3,
}

/// <summary>One live value at a site, in WebAssembly's terms, or the high half of one.</summary>
/// <param name="IsStack">True for an operand-stack entry, false for a local.</param>
/// <param name="Index">The entry's depth from the bottom, or the local's index.</param>
/// <param name="Type">Its type.</param>
/// <param name="IsHighHalf">Whether this is the high half of a vector, whose low half comes right before it.</param>
internal readonly record struct SiteValue(bool IsStack, int Index, ValType Type, bool IsHighHalf = false)
{
    /// <summary>Values by units of 8 bytes: a vector becomes two.</summary>
    public static SiteValue[] ToUnits(IReadOnlyList<SiteValue> values)
    {
        int units = 0;
        for (int index = 0; index < values.Count; index++)
        {
            units += values[index].Type.Units;
        }

        var all = new SiteValue[units];
        int unit = 0;
        for (int index = 0; index < values.Count; index++)
        {
            SiteValue value = values[index];
            all[unit++] = value;
            if (value.Type.Units > 1)
            {
                all[unit++] = value with { IsHighHalf = true };
            }
        }

        return all;
    }
}

/// <summary>A place at which a function can be left and entered again, with what is alive there.</summary>
/// <param name="Kind">What kind of place.</param>
/// <param name="Offset">The instruction's offset in the module's bytes.</param>
/// <param name="Values">The live values in the order in which records hold them, by units of 8 bytes.</param>
/// <param name="Results">The types of the callee's results, at a call.</param>
/// <param name="HasHandler">Whether the function catches, or may catch, what the callee throws.</param>
/// <param name="Heights">The operand stack's heights below the blocks that are open there, outermost first; null where all are 0. Not at a memory access.</param>
internal sealed record Site(SiteKind Kind, int Offset, SiteValue[] Values, ValType[] Results, bool HasHandler, int[]? Heights)
{
    /// <summary>The callee's results, by units of 8 bytes.</summary>
    public SiteValue[] ResultUnits => SiteValue.ToUnits([.. Results.Select((type, index) => new SiteValue(true, index, type.Stored))]);
}
