using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Everheap.Engine;
using Everheap.Vm.Compilation;

namespace Everheap.Vm.Execution;

/// <summary>
/// What compiled code calls when it cannot go on by itself. None of these throws through compiled code on account of the program: a trap
/// sets <see cref="PollState.Unwinding"/>, and the caller returns.
/// </summary>
internal static unsafe partial class CompiledCode
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

        if ((context->Poll & PollState.Throwing) != 0)
        {
            // An exception passes: nothing is saved, and what the caller stores here is overwritten by the next record.
            Instance.Of(context).TraceCall(function, packedSite >> 2);
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

    /// <summary>Has the callee compiled, for which a resolver was called.</summary>
    /// <returns>Its entry point.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static nint ResolveCallee(CodeContext* context) => Instance.Of(context).ResolveCallee();

    /// <summary>In code that was compiled in a hurry: a function is called.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void CountCall(CodeContext* context, int function)
    {
        if (--context->Countdowns[function] <= 0)
        {
            Instance.Of(context).FindHot(function);
        }
    }

    /// <summary>In code that was compiled in a hurry: a loop goes round.</summary>
    /// <returns>1 where there is optimised code to go on with, else 0.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static int CountLoop(CodeContext* context, int function, int site) =>
        --context->Countdowns[function] <= 0 && Instance.Of(context).FindHotLoop(function, site) ? 1 : 0;

    /// <summary>Calls an imported function; its arguments are in the context's slots, and so are its results.</summary>
    /// <returns>0: done. 1: call again after the capture that has been asked for. 2: the program ended.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static int CallHost(CodeContext* context, int function) => Instance.Of(context).CallHost(function);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void ContinueInTwin(CodeContext* context, int function)
    {
        do
        {
            nint next = NextOf(context, function);
            if (next == 0)
            {
                return;
            }

            ((delegate*<CodeContext*, void>)next)(context);
        }
        while (context->Left != LeftState.Nowhere);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static int ContinueInTwinI32(CodeContext* context, int function)
    {
        int result;
        do
        {
            nint next = NextOf(context, function);
            if (next == 0)
            {
                return default;
            }

            result = ((delegate*<CodeContext*, int>)next)(context);
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
            nint next = NextOf(context, function);
            if (next == 0)
            {
                return default;
            }

            result = ((delegate*<CodeContext*, long>)next)(context);
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
            nint next = NextOf(context, function);
            if (next == 0)
            {
                return default;
            }

            result = ((delegate*<CodeContext*, float>)next)(context);
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
            nint next = NextOf(context, function);
            if (next == 0)
            {
                return default;
            }

            result = ((delegate*<CodeContext*, double>)next)(context);
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
            nint next = NextOf(context, function);
            if (next == 0)
            {
                return default;
            }

            result = ((delegate*<CodeContext*, Vector128<byte>>)next)(context);
        }
        while (context->Left != LeftState.Nowhere);
        return result;
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static long Load8(CodeContext* context, long address, int function, int offset)
    {
        byte* location = Translate(context->LoadTable, address, 1);
        return location != null ? *location : Instance.Of(context).LoadSlow(0, (ulong)address, 1, function, offset);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static long Load16(CodeContext* context, long address, int function, int offset)
    {
        byte* location = Translate(context->LoadTable, address, 2);
        return location != null ? Unsafe.ReadUnaligned<ushort>(location) : Instance.Of(context).LoadSlow(0, (ulong)address, 2, function, offset);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static long Load32(CodeContext* context, long address, int function, int offset)
    {
        byte* location = Translate(context->LoadTable, address, 4);
        return location != null ? Unsafe.ReadUnaligned<uint>(location) : Instance.Of(context).LoadSlow(0, (ulong)address, 4, function, offset);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static long Load64(CodeContext* context, long address, int function, int offset)
    {
        byte* location = Translate(context->LoadTable, address, 8);
        return location != null ? Unsafe.ReadUnaligned<long>(location) : Instance.Of(context).LoadSlow(0, (ulong)address, 8, function, offset);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static Vector128<byte> Load128(CodeContext* context, long address, int function, int offset)
    {
        byte* location = Translate(context->LoadTable, address, 16);
        if (location != null)
        {
            return Vector128.Load(location);
        }

        Span<byte> bytes = stackalloc byte[Vector128<byte>.Count];
        bytes.Clear();
        Instance.Of(context).LoadSlow(0, (ulong)address, bytes, function, offset);
        return Vector128.Create(bytes);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Store8(CodeContext* context, long address, long bits, int function, int offset)
    {
        byte* location = Translate(context->StoreTable, address, 1);
        if (location != null)
        {
            *location = (byte)bits;
        }
        else
        {
            Instance.Of(context).StoreSlow(0, (ulong)address, 1, bits, function, offset);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Store16(CodeContext* context, long address, long bits, int function, int offset)
    {
        byte* location = Translate(context->StoreTable, address, 2);
        if (location != null)
        {
            Unsafe.WriteUnaligned(location, (ushort)bits);
        }
        else
        {
            Instance.Of(context).StoreSlow(0, (ulong)address, 2, bits, function, offset);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Store32(CodeContext* context, long address, long bits, int function, int offset)
    {
        byte* location = Translate(context->StoreTable, address, 4);
        if (location != null)
        {
            Unsafe.WriteUnaligned(location, (uint)bits);
        }
        else
        {
            Instance.Of(context).StoreSlow(0, (ulong)address, 4, bits, function, offset);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Store64(CodeContext* context, long address, long bits, int function, int offset)
    {
        byte* location = Translate(context->StoreTable, address, 8);
        if (location != null)
        {
            Unsafe.WriteUnaligned(location, bits);
        }
        else
        {
            Instance.Of(context).StoreSlow(0, (ulong)address, 8, bits, function, offset);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Store128(CodeContext* context, long address, Vector128<byte> value, int function, int offset)
    {
        byte* location = Translate(context->StoreTable, address, 16);
        if (location != null)
        {
            value.Store(location);
        }
        else
        {
            Span<byte> bytes = stackalloc byte[Vector128<byte>.Count];
            value.CopyTo(bytes);
            Instance.Of(context).StoreSlow(0, (ulong)address, bytes, function, offset);
        }
    }

    // What goes on with the record that was saved: the twin at a memory access, a continuation at the head of a loop; 0 if the stack is captured instead.
    private static nint NextOf(CodeContext* context, int function)
    {
        context->Group->EnteredFunction = -1;
        if (context->Left == LeftState.AtLoop)
        {
            context->Left = LeftState.Nowhere;
            return IsCapturedAtLoop(context) ? 0 : Instance.Of(context).FindContinuation(function);
        }

        context->Left = LeftState.Nowhere;
        nint twin = context->Twins[function];
        return twin != 0 ? twin : Instance.Of(context).FindTwin(function);
    }

    // The head of a loop at which the twin hands over is a safepoint: a loop of which every iteration leaves at an access would have no other.
    private static bool IsCapturedAtLoop(CodeContext* context)
    {
        if (context->StressInterval > 0)
        {
            StressTick(context);
        }

        if (Volatile.Read(ref context->Poll) == PollState.Running)
        {
            return false;
        }

        GroupState* group = context->Group;
        GroupState.Unwind(group, UnwindReason.Capture);
        group->SaveCursor += ((SavedRecord*)group->SaveCursor)->Bytes;
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte* Translate(nint table, long address, int size)
    {
        long entry = *(long*)(table + (nint)((ulong)address >> TranslationWindow.PageShift << 3));
        return entry != 0 && (address & PageMask) <= PageMask + 1 - size ? (byte*)(entry + address) : null;
    }
}
