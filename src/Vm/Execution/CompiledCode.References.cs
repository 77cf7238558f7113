using System.Runtime.CompilerServices;
using Everheap.Vm.Compilation;

namespace Everheap.Vm.Execution;

/// <content>Calls through references.</content>
internal static unsafe partial class CompiledCode
{
    /// <summary>Makes room for a record of a function at its entry, which is about to be called through a reference.</summary>
    /// <returns>Where its arguments go.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static byte* BeginEntryRecord(CodeContext* context, long reference, int slotCount)
    {
        if (!Instance.Of(context).Group.TryFindFunction((ulong)reference, out Instance? owner, out int function))
        {
            throw new InvalidOperationException($"A function is called through {reference:x}, which refers to none.");
        }

        return BeginRecord(owner.Context, function, SavedRecord.Pack(0, SiteKind.Entry), 0, slotCount);
    }

    /// <summary>The entry point of the function that a reference means; 0 after a trap, where it is null.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static nint CodeOf(CodeContext* context, long reference, int function, int offset)
    {
        if (reference == 0)
        {
            Trap(context, function, offset, (int)TrapKind.NullFunctionReference);
            return 0;
        }

        return Instance.Of(context).CodeOf((ulong)reference);
    }

    /// <summary>A table's element.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static long ReferenceAt(CodeContext* context, int table, long element) => (long)Instance.Of(context).Tables[table][(uint)element];
}
