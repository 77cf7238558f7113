using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Everheap.Vm.Compilation;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Execution;

/// <content>Saving of functions that were compiled in a hurry: they store all of their variables, and what their site needs of them is taken here.</content>
internal static unsafe partial class CompiledCode
{
    /// <summary>Makes room for all variables of a function.</summary>
    /// <returns>Where they go (<see cref="SpillPlaces"/>).</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static byte* BeginSpill(CodeContext* context, int bytes)
    {
        GroupState* group = context->Group;
        if (group->SpillBytes < bytes)
        {
            group->SpillArea = (byte*)NativeMemory.Realloc(group->SpillArea, (nuint)bytes);
            group->SpillBytes = bytes;
        }

        return group->SpillArea;
    }

    /// <summary>Saves a record of what a site needs.</summary>
    /// <param name="context">The context.</param>
    /// <param name="function">The function.</param>
    /// <param name="packed">The site, and how it is left (<see cref="SpillPlaces.Pack"/>).</param>
    /// <param name="area">The variables.</param>
    /// <param name="shape">Where they lie there, and how the function's sites are numbered (<see cref="SpillPlaces.PackShape"/>).</param>
    /// <returns>1 where the function goes on in its twin, or a continuation, with the record; 0 where it is saved.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static int SaveSpilled(CodeContext* context, int function, int packed, byte* area, int shape)
    {
        (int number, int left) = SpillPlaces.Unpack(packed);
        (SpillPlaces places, Addressing addressing) = SpillPlaces.UnpackShape(shape);
        Site site = Instance.Of(context).SiteOf(function, number, addressing);
        SiteKind kind = left == LeftState.Nowhere ? site.Kind : SiteKind.Access;
        int resultUnits = 0;
        if (kind == SiteKind.Call && site.Results.Length > 0)
        {
            // The first result is in the slot above all others; further ones are where the callee put them.
            int height = site.Values.Count(static value => value is { IsStack: true, IsHighHalf: false });
            var first = new ReadOnlySpan<ulong>(area + places.OffsetOfSlot(height, site.Results[0]), site.Results[0].Units);
            first.CopyTo(new Span<ulong>(context->Slots, first.Length));
            resultUnits = ValTypes.UnitsOf(site.Results);
        }

        var values = (ulong*)BeginRecord(context, function, SavedRecord.Pack(number, kind), resultUnits, site.Values.Length);
        for (int index = 0; index < site.Values.Length; index++)
        {
            values[index] = *(ulong*)(area + places.OffsetOf(site.Values[index]));
        }

        if (left == LeftState.Nowhere)
        {
            return 0;
        }

        context->Left = left;
        return 1;
    }
}
