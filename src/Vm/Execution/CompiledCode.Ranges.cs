using System.Runtime.CompilerServices;
using Everheap.Engine;

namespace Everheap.Vm.Execution;

/// <content>
/// Instructions on ranges and sizes of memories, tables and segments. Addresses, indices and lengths come as unsigned numbers of 64 bits, whatever the instruction's own are; then the two indices of
/// the instruction, and where it is.
/// </content>
internal static unsafe partial class CompiledCode
{
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static long MemoryGrow(CodeContext* context, long delta, int memory, int index2, int function, int offset) =>
        Instance.Of(context).GrowMemory(memory, (ulong)delta);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void MemoryInit(
        CodeContext* context, long destination, long source, long length, int segment, int memory, int function, int offset) =>
        Check(context, Instance.Of(context).InitializeMemory(memory, segment, (ulong)destination, (ulong)source, (ulong)length), function, offset);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void DataDrop(CodeContext* context, int segment, int index2, int function, int offset) =>
        Instance.Of(context).DropData(segment);

    // Most copies and fills are short: within a page at both ends, and wherever the memory lies in one piece, they are done here.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void MemoryCopy(
        CodeContext* context, long destination, long source, long length, int memory, int sourceMemory, int function, int offset)
    {
        if ((memory | sourceMemory) == 0 && IsInside(context, destination, length) && IsInside(context, source, length))
        {
            if (context->MemoryBase != 0)
            {
                Mark(context, (ulong)destination, (ulong)length);
                byte* start = (byte*)context->MemoryBase;
                Buffer.MemoryCopy(start + source, start + destination, length, length);
                return;
            }

            if (length <= PageMask)
            {
                byte* target = Translate(context->StoreTable, destination, (int)length);
                byte* origin = Translate(context->LoadTable, source, (int)length);
                if (target != null && origin != null)
                {
                    new ReadOnlySpan<byte>(origin, (int)length).CopyTo(new Span<byte>(target, (int)length));
                    return;
                }
            }
        }

        Check(context, Instance.Of(context).CopyMemory(memory, sourceMemory, (ulong)destination, (ulong)source, (ulong)length), function, offset);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void MemoryFill(
        CodeContext* context, long destination, long value, long length, int memory, int index2, int function, int offset)
    {
        if (memory == 0 && length <= int.MaxValue && IsInside(context, destination, length))
        {
            if (context->MemoryBase != 0)
            {
                Mark(context, (ulong)destination, (ulong)length);
                new Span<byte>((byte*)context->MemoryBase + destination, (int)length).Fill((byte)value);
                return;
            }

            if (length <= PageMask)
            {
                byte* target = Translate(context->StoreTable, destination, (int)length);
                if (target != null)
                {
                    new Span<byte>(target, (int)length).Fill((byte)value);
                    return;
                }
            }
        }

        Check(context, Instance.Of(context).FillMemory(memory, (ulong)destination, (byte)value, (ulong)length), function, offset);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void TableInit(
        CodeContext* context, long destination, long source, long length, int segment, int table, int function, int offset) =>
        Check(context, Instance.Of(context).InitializeTable(table, segment, (ulong)destination, (ulong)source, (ulong)length), function, offset);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void ElemDrop(CodeContext* context, int segment, int index2, int function, int offset) =>
        Instance.Of(context).DropElements(segment);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void TableCopy(
        CodeContext* context, long destination, long source, long length, int table, int sourceTable, int function, int offset) =>
        Check(context, Instance.Of(context).CopyTable(table, sourceTable, (ulong)destination, (ulong)source, (ulong)length), function, offset);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static long TableGrow(CodeContext* context, long value, long delta, int table, int index2, int function, int offset) =>
        Instance.Of(context).GrowTable(table, (ulong)value, (ulong)delta);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static long TableSize(CodeContext* context, int table, int index2, int function, int offset) =>
        (long)context->Tables[table].Length;

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void TableFill(
        CodeContext* context, long destination, long value, long length, int table, int index2, int function, int offset) =>
        Check(context, Instance.Of(context).FillTable(table, (ulong)destination, (ulong)value, (ulong)length), function, offset);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static long TableGet(CodeContext* context, long element, int table, int index2, int function, int offset)
    {
        Check(context, Instance.Of(context).TryGetElement(table, (ulong)element, out ulong value), function, offset);
        return (long)value;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void TableSet(CodeContext* context, long element, long value, int table, int index2, int function, int offset) =>
        Check(context, Instance.Of(context).TrySetElement(table, (ulong)element, (ulong)value), function, offset);

    private static void Check(CodeContext* context, TrapKind kind, int function, int offset)
    {
        if (kind != TrapKind.None)
        {
            Trap(context, function, offset, (int)kind);
        }
    }

    // In memory 0, by what the context says of its end. Neither number need be small.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsInside(CodeContext* context, long offset, long length)
    {
        ulong end = (ulong)(context->Last8 + 1);
        return (ulong)length <= end && (ulong)offset <= end - (ulong)length;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Mark(CodeContext* context, ulong offset, ulong length)
    {
        if (length > 0)
        {
            ulong first = offset >> TranslationWindow.PageShift;
            ulong last = (offset + length - 1) >> TranslationWindow.PageShift;
            new Span<byte>((byte*)context->DirtyMap + first, (int)(last - first) + 1).Fill(1);
        }
    }
}
