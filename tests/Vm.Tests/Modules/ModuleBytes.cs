namespace Everheap.Vm.Tests.Modules;

/// <summary>Puts modules together byte by byte.</summary>
internal static class ModuleBytes
{
    public const byte End = 0x0B;
    public const byte I32 = 0x7F;
    public const byte I64 = 0x7E;
    public const byte F32 = 0x7D;
    public const byte FuncRef = 0x70;
    public const byte ExternRef = 0x6F;

    /// <summary>The offset of the first instruction of <see cref="Function(byte[])"/>'s function.</summary>
    public const int FirstInstruction = 23;

    /// <summary>The 8 bytes every module starts with.</summary>
    public static byte[] Header => [0, (byte)'a', (byte)'s', (byte)'m', 1, 0, 0, 0];

    /// <summary>A type section with () -> ().</summary>
    public static byte[] EmptyType => Section(1, 1, 0x60, 0, 0);

    /// <summary>A module of sections.</summary>
    public static byte[] Of(params byte[][] sections) => [.. Header, .. sections.SelectMany(section => section)];

    public static byte[] Section(byte id, params byte[] contents) => [id, .. U32((uint)contents.Length), .. contents];

    /// <summary>A number in the fewest bytes.</summary>
    public static byte[] U32(uint value)
    {
        var bytes = new List<byte>();
        for (; value >= 0x80; value >>= 7)
        {
            bytes.Add((byte)(value | 0x80));
        }

        bytes.Add((byte)value);
        return [.. bytes];
    }

    public static byte[] Name(string name) => [.. U32((uint)System.Text.Encoding.UTF8.GetByteCount(name)), .. System.Text.Encoding.UTF8.GetBytes(name)];

    /// <summary>A module with one function of type () -> () and no locals, whose code (its final end included) is given.</summary>
    public static byte[] Function(params byte[] code) => Of(EmptyType, Section(3, 1, 0), Code(code));

    /// <summary>A code section with one body that has no locals.</summary>
    public static byte[] Code(params byte[] code) => Section(10, [1, .. U32((uint)code.Length + 1), 0, .. code]);

    /// <summary>A code section with one body, its groups of locals included.</summary>
    public static byte[] CodeWithLocals(byte[] locals, params byte[] code) =>
        Section(10, [1, .. U32((uint)(locals.Length + code.Length)), .. locals, .. code]);
}
