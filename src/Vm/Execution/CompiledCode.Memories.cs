using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Everheap.Vm.Execution;

/// <content>Accesses that name their memory: of memories other than 32-bit memory 0, and atomic read-modify-write operations.</content>
internal static unsafe partial class CompiledCode
{
    /// <summary>Loads so many bytes, zero-extended.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static long LoadFrom(CodeContext* context, int memory, long address, int size, int function, int offset) =>
        Instance.Of(context).LoadSlow(memory, (ulong)address, size, function, offset);

    /// <summary>Stores so many bytes.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void StoreTo(CodeContext* context, int memory, long address, int size, long bits, int function, int offset) =>
        Instance.Of(context).StoreSlow(memory, (ulong)address, size, bits, function, offset);

    /// <summary>Loads 16 bytes.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Vector128<byte> LoadVectorFrom(CodeContext* context, int memory, long address, int function, int offset)
    {
        Span<byte> bytes = stackalloc byte[Vector128<byte>.Count];
        bytes.Clear();
        Instance.Of(context).LoadSlow(memory, (ulong)address, bytes, function, offset);
        return Vector128.Create<byte>(bytes);
    }

    /// <summary>Stores 16 bytes.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void StoreVectorTo(CodeContext* context, int memory, long address, Vector128<byte> value, int function, int offset)
    {
        Span<byte> bytes = stackalloc byte[Vector128<byte>.Count];
        value.CopyTo(bytes);
        Instance.Of(context).StoreSlow(memory, (ulong)address, bytes, function, offset);
    }

    /// <summary>A memory's size in pages.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static long MemorySize(CodeContext* context, int memory) => (long)Instance.Of(context).Memories[memory].Pages;

    /// <summary>Does an atomic read-modify-write operation, waits or notifies.</summary>
    /// <returns>The result's bits; -1 where a wait was interrupted.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static long Atomic(CodeContext* context, int memory, long address, int opcode, long first, long second, int function, int offset) =>
        Instance.Of(context).DoAtomic(memory, (ulong)address, (Modules.Opcode)opcode, (ulong)first, (ulong)second, function, offset);
}
