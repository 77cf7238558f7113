using Everheap.Vm.Modules;

namespace Everheap.Vm.Tests.Execution;

/// <summary>The pieces of modules that tests make by hand (core specification, section 5).</summary>
internal static class ModuleBytes
{
    /// <summary>A module of one memory page, whose functions are given by type and body; its table refers to all of them.</summary>
    /// <param name="types">The types, each with its form.</param>
    /// <param name="functions">The type's index and the body of each function.</param>
    public static Module Of(byte[][] types, params (byte Type, byte[] Body)[] functions) => Of(null, types, functions);

    /// <summary>As <see cref="Of(byte[][], ValueTuple{byte, byte[]}[])"/>, with a cache for its code.</summary>
    public static Module Of(CodeCache? cache, byte[][] types, params (byte Type, byte[] Body)[] functions)
    {
        List<byte> bytes = [0, 0x61, 0x73, 0x6D, 1, 0, 0, 0];
        Section(bytes, 1, [(byte)types.Length, .. types.SelectMany(type => type)]);
        Section(bytes, 3, [(byte)functions.Length, .. functions.Select(function => function.Type)]);
        Section(bytes, 4, [1, 0x70, 0, (byte)functions.Length]);
        Section(bytes, 5, [1, 0, 1]);
        Section(bytes, 9, [1, 0, 0x41, 0, 0x0B, (byte)functions.Length, .. Enumerable.Range(0, functions.Length).Select(function => (byte)function)]);
        Section(bytes, 10, [(byte)functions.Length, .. functions.SelectMany(function => (byte[])[.. Unsigned((uint)function.Body.Length), .. function.Body])]);
        return Module.Decode(bytes.ToArray(), cache);
    }

    /// <summary>An unsigned number in LEB128.</summary>
    public static byte[] Unsigned(uint value)
    {
        List<byte> bytes = [];
        for (; value >= 0x80; value >>= 7)
        {
            bytes.Add((byte)(value | 0x80));
        }

        return [.. bytes, (byte)value];
    }

    /// <summary>A signed number in LEB128.</summary>
    public static byte[] Signed(long value)
    {
        List<byte> bytes = [];
        for (; value is < -64 or > 63; value >>= 7)
        {
            bytes.Add((byte)(value | 0x80));
        }

        return [.. bytes, (byte)(value & 0x7F)];
    }

    private static void Section(List<byte> bytes, byte id, byte[] content) => bytes.AddRange([id, .. Unsigned((uint)content.Length), .. content]);
}
