using static Everheap.Vm.Tests.Modules.ModuleBytes;

namespace Everheap.Vm.Tests.Modules;

/// <summary>Valid modules, small enough to read, that together use every feature beyond WebAssembly 2.0.</summary>
internal static class FeatureModules
{
    private const byte V128 = 0x7B;
    private const byte I8 = 0x78;
    private const byte AnyRef = 0x6E;
    private const byte EqRef = 0x6D;
    private const byte I31 = 0x6C;
    private const byte ExnRef = 0x69;
    private const byte RefNull = 0x63;
    private const byte Ref = 0x64;

    /// <summary>Recursive types, subtypes, structures, arrays, i31, casts; objects in constant expressions.</summary>
    public static byte[] Objects => Of(
        Section(1, [
            3,
            0x4E, 2, 0x50, 0, 0x5F, 3, I32, 1, I8, 0, RefNull, 1, 1, 0x50, 0, 0x5E, RefNull, 0, 1,
            0x4F, 1, 0, 0x5F, 4, I32, 1, I8, 0, RefNull, 1, 1, I64, 0,
            0x60, 1, AnyRef, 1, I32]),
        Section(3, 1, 3),
        Section(4, 1, 0x40, 0, RefNull, 0, 0, 1, 0xD0, 2, End),
        Section(6, 2, Ref, 0, 0, 0x41, 1, 0x41, 2, 0xD0, 1, 0xFB, 0, 0, End, EqRef, 0, 0x41, 7, 0xFB, 0x1C, End),
        CodeWithLocals(
            [1, 1, RefNull, 0],
            [
                0x41, 1, 0x41, 2, 0xD0, 1, 0xFB, 0x00, 0, 0x21, 1,
                0x20, 1, 0xFB, 0x02, 0, 0, 0x1A,
                0x20, 1, 0x41, 5, 0xFB, 0x05, 0, 0,
                0x20, 1, 0x41, 3, 0xFB, 0x06, 1, 0xFB, 0x0F, 0x1A,
                0x20, 1, 0x20, 1, 0xFB, 0x08, 1, 2, 0x41, 0, 0xFB, 0x0B, 1, 0xFB, 0x03, 0, 1, 0x1A,
                0x02, EqRef, 0x20, 0, 0xFB, 0x18, 3, 0, AnyRef, EqRef, 0x1A, 0x20, 1, End, 0xD1, 0x1A,
                0x20, 0, 0xFB, 0x14, I31, 0x1A,
                0x23, 0, 0x23, 1, 0xD3, 0x1A,
                0x41, 7, 0xFB, 0x1C, 0xFB, 0x1D, End,
            ]));

    /// <summary>Tags, exceptions old and new, tail calls, typed function references.</summary>
    public static byte[] Control => Of(
        Section(1, 3, 0x60, 0, 0, 0x60, 1, I32, 0, 0x60, 1, I32, 1, I32),
        Section(2, [1, .. Name("m"), .. Name("t"), 4, 0, 1]),
        Section(3, 3, 0, 0, 2),
        Section(13, 1, 0, 0),
        Section(7, [2, .. Name("t"), 4, 1, .. Name("f"), 0, 2]),
        Section(10, [
            3,
            .. Body([
                0,
                0x02, I32, 0x1F, 0x40, 2, 0, 0, 0, 2, 1, 0x41, 1, 0x08, 0, End, 0x41, 0, End, 0x1A,
                0x02, ExnRef, 0x1F, 0x40, 1, 3, 0, End, 0xD0, ExnRef, End, 0x0A, End]),
            .. Body([0, 0x06, 0x40, 0x41, 1, 0x08, 0, 0x07, 0, 0x1A, 0x19, 0x09, 0, End, 0x06, 0x40, 0x18, 0, 0x12, 0, End]),
            .. Body([
                1, 1, Ref, 2, 0xD2, 2, 0x21, 1,
                0x02, 0x40, 0x20, 1, 0xD5, 0, 0x1A, End,
                0x20, 0, 0xD0, 2, 0xD4, 0x14, 2, 0x20, 1, 0x15, 2, End])]));

    /// <summary>Vectors, atomic accesses, several memories, one of them with 64-bit addresses and one shared, a table with 64-bit indices; extended constant expressions.</summary>
    public static byte[] Storage => Of(
        EmptyType,
        Section(3, 1, 0),
        Section(4, 1, FuncRef, 5, 1, 9),
        Section(5, 2, 4, 1, 3, 1, 2),
        Section(6, 2, I32, 0, 0x41, 1, End, I32, 0, 0x23, 0, 0x41, 2, 0x6A, End),
        Section(9, 1, 0, 0x42, 0, End, 1, 0),
        Section(12, 1),
        CodeWithLocals(
            [1, 1, V128],
            [
                0xFD, 0x0C, .. Enumerable.Range(0, 16).Select(i => (byte)i), 0x21, 0,
                0x42, 0, 0xFD, 0x00, 4, 0x80, 0x80, 0x80, 0x80, 0x10, 0x20, 0, 0xFD, 0x0D, .. Enumerable.Repeat((byte)31, 16),
                0x41, 3, 0xFD, 0x6B, 0x20, 0, 0x20, 0, 0xFD, 0x52, 0xFD, 0x15, 15, 0x1A,
                0x41, 8, 0x20, 0, 0xFD, 0x58, 0x40, 1, 2, 9,
                0x20, 0, 0x20, 0, 0x20, 0, 0xFD, 0x85, 0x02, 0xFD, 0x53, 0x1A,
                0x41, 0, 0x41, 1, 0x41, 2, 0xFE, 0x48, 0x42, 1, 0, 0xFE, 0x03, 0, 0x1A,
                0x42, 0, 0x41, 0, 0x41, 9, 0xFC, 0x0A, 0, 1,
                0x41, 0, 0x41, 0, 0x41, 2, 0xFC, 0x08, 0, 1,
                0x3F, 1, 0x40, 1, 0x1A, 0x42, 0, 0x25, 0, 0xD1, 0x1A, End,
            ]),
        Section(11, 1, 1, 2, 5, 6),
        Section(0, [.. Name("metadata.code.branch_hint"), 1, 0, 1, 4, 1, 1]));

    private static byte[] Body(byte[] contents) => [.. U32((uint)contents.Length), .. contents];
}
