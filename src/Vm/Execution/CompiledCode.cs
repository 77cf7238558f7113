using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Everheap.Engine;
using Everheap.Vm.Compilation;

namespace Everheap.Vm.Execution;

/// <summary>
/// What compiled code calls when it cannot go on by itself. None of these throws through compiled code on account of the program: a trap
/// sets <see cref="PollState.Unwinding"/>, and the caller returns.
/// </summary>
internal static unsafe class CompiledCode
{
    private const int PageMask = (1 << TranslationWindow.PageShift) - 1;

    /// <summary>Begins to unwind with a trap.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Trap(CodeContext* context, int function, int offset, int kind)
    {
        GroupState* group = context->Group;
        group->Trap = kind;
        group->TrapInstance = context->InstanceNumber;
        group->TrapFunction = function;
        group->TrapOffset = offset;
        GroupState.Unwind(group, UnwindReason.Trap);
    }

    /// <summary>An indirect call's element is null, or has another type.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void TrapIndirectCall(CodeContext* context, int function, int offset, TableEntry* entry) =>
        Trap(context, function, offset, (int)(entry->Signature == 0 ? TrapKind.UninitializedElement : TrapKind.IndirectCallTypeMismatch));

    /// <summary>A float cannot be converted to an integer.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void TrapTruncation(CodeContext* context, int function, int offset, double value) =>
        Trap(context, function, offset, (int)(double.IsNaN(value) ? TrapKind.InvalidConversionToInteger : TrapKind.IntegerOverflow));

    /// <summary>
    /// Makes room for a record and writes its head. At a safepoint this is also where a requested capture begins, and where a caller finds
    /// out whether its callee returned (it carries the results on) or was itself saved.
    /// </summary>
    /// <returns>Where the values go.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static byte* BeginRecord(CodeContext* context, int function, int packedSite, int resultUnits, int valueUnits)
    {
        var kind = (SiteKind)(packedSite & 3);
        GroupState* group = context->Group;
        int bytes = SavedRecord.HeadBytes + ((valueUnits + resultUnits) * sizeof(ulong));
        if (group->SaveEnd - group->SaveCursor < bytes)
        {
            InstanceGroup.GrowSaveBuffer(group, bytes);
        }

        var record = (SavedRecord*)group->SaveCursor;
        record->Function = function;
        record->Site = packedSite >> 2;
        record->Bytes = bytes;
        record->CalleeReturned = 0;
        record->Instance = context->InstanceNumber;
        byte* values = group->SaveCursor + SavedRecord.HeadBytes;
        if (kind == SiteKind.Access)
        {
            return values;
        }

        if (context->Poll != PollState.Unwinding)
        {
            bool isRequested = Interlocked.Exchange(ref context->Poll, PollState.Unwinding) == PollState.Requested;
            GroupState.Unwind(group, isRequested ? UnwindReason.Capture : UnwindReason.StackSpill);
            record->CalleeReturned = kind == SiteKind.Call ? 1 : 0;
            new ReadOnlySpan<ulong>(context->Slots, resultUnits).CopyTo(new Span<ulong>(values + (valueUnits * sizeof(ulong)), resultUnits));
        }

        group->SaveCursor += bytes;
        return values;
    }

    /// <summary>A record names a site that its function does not have: the heap was made by something else.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void NoSuchSite(CodeContext* context)
    {
        var record = (SavedRecord*)context->Group->SaveBase;
        throw new InvalidOperationException($"Function {record->Function} has no site {record->Site} to be entered at.");
    }

    /// <summary>In code compiled for stress: asks for a capture at every n-th safepoint.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void StressTick(CodeContext* context)
    {
        if (--context->StressCountdown <= 0)
        {
            context->StressCountdown = context->StressInterval;
            Interlocked.CompareExchange(ref context->Poll, PollState.Requested, PollState.Running);
        }
    }

    /// <summary>Calls an imported function; its arguments are in the context's slots, and so are its results.</summary>
    /// <returns>0: done. 1: call again after the capture that has been asked for. 2: the program ended.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static int CallHost(CodeContext* context, int function) => Instance.Of(context).CallHost(function);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void ContinueInTwin(CodeContext* context, int function)
    {
        do
        {
            ((delegate*<CodeContext*, void>)NextOf(context, function))(context);
        }
        while (context->Left != LeftState.Nowhere);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static int ContinueInTwinI32(CodeContext* context, int function)
    {
        int result;
        do
        {
            result = ((delegate*<CodeContext*, int>)NextOf(context, function))(context);
        }
        while (context->Left != LeftState.Nowhere);
        return result;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static long ContinueInTwinI64(CodeContext* context, int function)
    {
        long result;
        do
        {
            result = ((delegate*<CodeContext*, long>)NextOf(context, function))(context);
        }
        while (context->Left != LeftState.Nowhere);
        return result;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static float ContinueInTwinF32(CodeContext* context, int function)
    {
        float result;
        do
        {
            result = ((delegate*<CodeContext*, float>)NextOf(context, function))(context);
        }
        while (context->Left != LeftState.Nowhere);
        return result;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static double ContinueInTwinF64(CodeContext* context, int function)
    {
        double result;
        do
        {
            result = ((delegate*<CodeContext*, double>)NextOf(context, function))(context);
        }
        while (context->Left != LeftState.Nowhere);
        return result;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Vector128<byte> ContinueInTwinV128(CodeContext* context, int function)
    {
        Vector128<byte> result;
        do
        {
            result = ((delegate*<CodeContext*, Vector128<byte>>)NextOf(context, function))(context);
        }
        while (context->Left != LeftState.Nowhere);
        return result;
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static long Load8(CodeContext* context, long address, int function, int offset)
    {
        byte* location = Translate(context, address, 1, 0);
        return location != null ? *location : Instance.Of(context).LoadSlow((ulong)address, 1, function, offset);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static long Load16(CodeContext* context, long address, int function, int offset)
    {
        byte* location = Translate(context, address, 2, 0);
        return location != null ? Unsafe.ReadUnaligned<ushort>(location) : Instance.Of(context).LoadSlow((ulong)address, 2, function, offset);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static long Load32(CodeContext* context, long address, int function, int offset)
    {
        byte* location = Translate(context, address, 4, 0);
        return location != null ? Unsafe.ReadUnaligned<uint>(location) : Instance.Of(context).LoadSlow((ulong)address, 4, function, offset);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static long Load64(CodeContext* context, long address, int function, int offset)
    {
        byte* location = Translate(context, address, 8, 0);
        return location != null ? Unsafe.ReadUnaligned<long>(location) : Instance.Of(context).LoadSlow((ulong)address, 8, function, offset);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static Vector128<byte> Load128(CodeContext* context, long address, int function, int offset)
    {
        byte* location = Translate(context, address, 16, 0);
        if (location != null)
        {
            return Vector128.Load(location);
        }

        Span<byte> bytes = stackalloc byte[Vector128<byte>.Count];
        bytes.Clear();
        Instance.Of(context).LoadSlow((ulong)address, bytes, function, offset);
        return Vector128.Create(bytes);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Store8(CodeContext* context, long address, long bits, int function, int offset)
    {
        byte* location = Translate(context, address, 1, TranslationWindow.StoreTableDistance);
        if (location != null)
        {
            *location = (byte)bits;
        }
        else
        {
            Instance.Of(context).StoreSlow((ulong)address, 1, bits, function, offset);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Store16(CodeContext* context, long address, long bits, int function, int offset)
    {
        byte* location = Translate(context, address, 2, TranslationWindow.StoreTableDistance);
        if (location != null)
        {
            Unsafe.WriteUnaligned(location, (ushort)bits);
        }
        else
        {
            Instance.Of(context).StoreSlow((ulong)address, 2, bits, function, offset);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Store32(CodeContext* context, long address, long bits, int function, int offset)
    {
        byte* location = Translate(context, address, 4, TranslationWindow.StoreTableDistance);
        if (location != null)
        {
            Unsafe.WriteUnaligned(location, (uint)bits);
        }
        else
        {
            Instance.Of(context).StoreSlow((ulong)address, 4, bits, function, offset);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Store64(CodeContext* context, long address, long bits, int function, int offset)
    {
        byte* location = Translate(context, address, 8, TranslationWindow.StoreTableDistance);
        if (location != null)
        {
            Unsafe.WriteUnaligned(location, bits);
        }
        else
        {
            Instance.Of(context).StoreSlow((ulong)address, 8, bits, function, offset);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Store128(CodeContext* context, long address, Vector128<byte> value, int function, int offset)
    {
        byte* location = Translate(context, address, 16, TranslationWindow.StoreTableDistance);
        if (location != null)
        {
            value.Store(location);
        }
        else
        {
            Span<byte> bytes = stackalloc byte[Vector128<byte>.Count];
            value.CopyTo(bytes);
            Instance.Of(context).StoreSlow((ulong)address, bytes, function, offset);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static int MemoryGrow(CodeContext* context, int delta, int index, int index2, int function, int offset) =>
        Instance.Of(context).GrowMemory((uint)delta);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void MemoryInit(
        CodeContext* context, int destination, int source, int length, int segment, int memory, int function, int offset) =>
        Check(context, Instance.Of(context).InitializeMemory(segment, (uint)destination, (uint)source, (uint)length), function, offset);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void DataDrop(CodeContext* context, int segment, int index2, int function, int offset) =>
        Instance.Of(context).DropData(segment);

    // Most copies and fills are short: within a page at both ends, and wherever the memory lies in one piece, they are done here.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void MemoryCopy(
        CodeContext* context, int destination, int source, int length, int index, int index2, int function, int offset)
    {
        if (context->MemoryBase != 0)
        {
            if (IsInOnePiece(context, destination, length) && IsInOnePiece(context, source, length))
            {
                Mark(context, (uint)destination, (uint)length);
                byte* start = (byte*)context->MemoryBase;
                Buffer.MemoryCopy(start + (uint)source, start + (uint)destination, (uint)length, (uint)length);
                return;
            }
        }
        else if ((uint)length <= PageMask)
        {
            byte* target = Translate(context, (uint)destination, length, TranslationWindow.StoreTableDistance);
            byte* origin = Translate(context, (uint)source, length, 0);
            if (target != null && origin != null)
            {
                new ReadOnlySpan<byte>(origin, length).CopyTo(new Span<byte>(target, length));
                return;
            }
        }

        Check(context, Instance.Of(context).CopyMemory((uint)destination, (uint)source, (uint)length), function, offset);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void MemoryFill(
        CodeContext* context, int destination, int value, int length, int index, int index2, int function, int offset)
    {
        if (context->MemoryBase != 0)
        {
            if (IsInOnePiece(context, destination, length))
            {
                Mark(context, (uint)destination, (uint)length);
                new Span<byte>((byte*)context->MemoryBase + (uint)destination, length).Fill((byte)value);
                return;
            }
        }
        else if ((uint)length <= PageMask)
        {
            byte* target = Translate(context, (uint)destination, length, TranslationWindow.StoreTableDistance);
            if (target != null)
            {
                new Span<byte>(target, length).Fill((byte)value);
                return;
            }
        }

        Check(context, Instance.Of(context).FillMemory((uint)destination, (byte)value, (uint)length), function, offset);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void TableInit(
        CodeContext* context, int destination, int source, int length, int segment, int table, int function, int offset) =>
        Check(context, Instance.Of(context).InitializeTable(table, segment, (uint)destination, (uint)source, (uint)length), function, offset);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void ElemDrop(CodeContext* context, int segment, int index2, int function, int offset) =>
        Instance.Of(context).DropElements(segment);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void TableCopy(
        CodeContext* context, int destination, int source, int length, int table, int sourceTable, int function, int offset) =>
        Check(context, Instance.Of(context).CopyTable(table, sourceTable, (uint)destination, (uint)source, (uint)length), function, offset);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static int TableGrow(CodeContext* context, long value, int delta, int table, int index2, int function, int offset) =>
        Instance.Of(context).GrowTable(table, (ulong)value, (uint)delta);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static int TableSize(CodeContext* context, int table, int index2, int function, int offset) =>
        (int)context->Tables[table].Length;

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void TableFill(
        CodeContext* context, int destination, long value, int length, int table, int index2, int function, int offset) =>
        Check(context, Instance.Of(context).FillTable(table, (uint)destination, (ulong)value, (uint)length), function, offset);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static long TableGet(CodeContext* context, int element, int table, int index2, int function, int offset)
    {
        Check(context, Instance.Of(context).TryGetElement(table, (uint)element, out ulong value), function, offset);
        return (long)value;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void TableSet(CodeContext* context, int element, long value, int table, int index2, int function, int offset) =>
        Check(context, Instance.Of(context).TrySetElement(table, (uint)element, (ulong)value), function, offset);

    // What goes on with the record that was saved: the twin at a memory access, a continuation at the head of a loop.
    private static nint NextOf(CodeContext* context, int function)
    {
        if (context->Left == LeftState.AtLoop)
        {
            context->Left = LeftState.Nowhere;
            return Instance.Of(context).FindContinuation(function);
        }

        context->Left = LeftState.Nowhere;
        nint twin = context->Twins[function];
        return twin != 0 ? twin : Instance.Of(context).FindTwin(function);
    }

    private static void Check(CodeContext* context, TrapKind kind, int function, int offset)
    {
        if (kind != TrapKind.None)
        {
            Trap(context, function, offset, (int)kind);
        }
    }

    // Lengths that an int cannot hold are left to the instance.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsInOnePiece(CodeContext* context, int offset, int length) => length >= 0 && (uint)offset + (long)length <= context->Last8 + 1;

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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte* Translate(CodeContext* context, long address, int size, long tableDistance)
    {
        long entry = *(long*)(context->LoadTable + tableDistance + (nint)((ulong)address >> TranslationWindow.PageShift << 3));
        return entry != 0 && (address & PageMask) <= PageMask + 1 - size ? (byte*)(entry + address) : null;
    }
}
