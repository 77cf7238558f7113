using System.Buffers.Binary;
using Everheap.Vm.Compilation;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Execution;

/// <summary>
/// A frame as the heap holds it, in WebAssembly's terms. Little-endian:
/// <code>
/// offset  size  field
///      0     4  function index
///      4     4  offset in the module's bytes of the instruction: loop header, call, or first instruction
///      8     1  kind: 0 entry, 1 loop, 2 call
///      9     1  1 if the callee had returned (its results follow the values)
///     10     2  zero
///     12     4  value count
///     16     4  result count
///     20     4  the instance's number
///     24   16n  values, then results: index (4), flags (2: 1 operand stack, 2 result, 4 high half), type (2), bits (8)
///  24+16n    4  frame size in bytes, this field included
///  28+16n    4  zero
/// </code>
/// A vector is two values, its low half first. The size comes last, so that a stack of frames can be read from its top.
/// </summary>
internal static class CapturedFrame
{
    public const int HeadBytes = 24;
    public const int ValueBytes = 16;
    public const int TrailerBytes = 8;
    public const int KindOffset = 8;
    public const int CalleeReturnedOffset = 9;
    public const int ValueCountOffset = 12;
    public const int ResultCountOffset = 16;
    public const int InstanceOffset = 20;

    private const ushort StackFlag = 1;
    private const ushort ResultFlag = 2;
    private const ushort HighHalfFlag = 4;

    public static int SizeOf(int valueCount, int resultCount) => HeadBytes + ((valueCount + resultCount) * ValueBytes) + TrailerBytes;

    public static void WriteHead(Span<byte> frame, int instance, int function, Site site, bool hasCalleeReturned, int resultCount)
    {
        frame.Clear();
        BinaryPrimitives.WriteInt32LittleEndian(frame, function);
        BinaryPrimitives.WriteInt32LittleEndian(frame[4..], site.Offset);
        frame[KindOffset] = (byte)site.Kind;
        frame[CalleeReturnedOffset] = hasCalleeReturned ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteInt32LittleEndian(frame[ValueCountOffset..], site.Values.Length);
        BinaryPrimitives.WriteInt32LittleEndian(frame[ResultCountOffset..], resultCount);
        BinaryPrimitives.WriteInt32LittleEndian(frame[InstanceOffset..], instance);
        BinaryPrimitives.WriteInt32LittleEndian(frame[^TrailerBytes..], frame.Length);
    }

    public static void WriteValue(Span<byte> frame, int position, SiteValue value, bool isResult, ulong bits)
    {
        Span<byte> field = frame.Slice(HeadBytes + (position * ValueBytes), ValueBytes);
        BinaryPrimitives.WriteInt32LittleEndian(field, value.Index);
        BinaryPrimitives.WriteUInt16LittleEndian(field[4..], (ushort)((value.IsStack ? StackFlag : 0) | (isResult ? ResultFlag : 0) | (value.IsHighHalf ? HighHalfFlag : 0)));
        BinaryPrimitives.WriteUInt16LittleEndian(field[6..], (ushort)value.Type);
        BinaryPrimitives.WriteUInt64LittleEndian(field[8..], value.Type is ValType.I32 or ValType.F32 ? (uint)bits : bits);
    }

    public static int InstanceOf(ReadOnlySpan<byte> frame) => BinaryPrimitives.ReadInt32LittleEndian(frame[InstanceOffset..]);

    public static int FunctionOf(ReadOnlySpan<byte> frame) => BinaryPrimitives.ReadInt32LittleEndian(frame);

    public static int OffsetOf(ReadOnlySpan<byte> frame) => BinaryPrimitives.ReadInt32LittleEndian(frame[4..]);

    public static SiteKind KindOf(ReadOnlySpan<byte> frame) => (SiteKind)frame[KindOffset];

    public static bool HasCalleeReturned(ReadOnlySpan<byte> frame) => frame[CalleeReturnedOffset] != 0;

    public static int ValueCountOf(ReadOnlySpan<byte> frame) => BinaryPrimitives.ReadInt32LittleEndian(frame[ValueCountOffset..]);

    public static int ResultCountOf(ReadOnlySpan<byte> frame) => BinaryPrimitives.ReadInt32LittleEndian(frame[ResultCountOffset..]);

    public static (SiteValue Value, ulong Bits) ReadValue(ReadOnlySpan<byte> frame, int position)
    {
        ReadOnlySpan<byte> field = frame.Slice(HeadBytes + (position * ValueBytes), ValueBytes);
        ushort flags = BinaryPrimitives.ReadUInt16LittleEndian(field[4..]);
        var value = new SiteValue(
            (flags & StackFlag) != 0,
            BinaryPrimitives.ReadInt32LittleEndian(field),
            (ValType)BinaryPrimitives.ReadUInt16LittleEndian(field[6..]),
            (flags & HighHalfFlag) != 0);
        return (value, BinaryPrimitives.ReadUInt64LittleEndian(field[8..]));
    }

    /// <summary>Whether a frame's counts agree with its size.</summary>
    public static bool IsWellFormed(ReadOnlySpan<byte> frame) =>
        frame.Length >= HeadBytes + TrailerBytes
        && ValueCountOf(frame) >= 0
        && ResultCountOf(frame) >= 0
        && frame.Length == HeadBytes + (((long)ValueCountOf(frame) + ResultCountOf(frame)) * ValueBytes) + TrailerBytes;
}
