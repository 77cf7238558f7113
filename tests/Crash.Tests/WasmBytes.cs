using System.Text;

namespace Everheap.Crash.Tests;

/// <summary>Tiny modules made by hand, so that tests of the command need no compiler.</summary>
internal static class WasmBytes
{
    private static readonly byte[] Header = [0x00, 0x61, 0x73, 0x6D, 0x01, 0x00, 0x00, 0x00];

    /// <summary><c>_start</c> calls a function named <c>fail</c>, which executes <c>unreachable</c>.</summary>
    public static byte[] Trapping() => Module(
        functions: 2,
        start: 0,
        bodies: [[0x00, 0x10, 0x01, 0x0B], [0x00, 0x00, 0x0B]],
        names: ["_start", "fail"]);

    /// <summary><c>_start</c> calls <c>spin</c>, which counts its local up from 41 for ever.</summary>
    public static byte[] Spinning() => Module(
        functions: 2,
        start: 0,
        bodies:
        [
            [0x00, 0x10, 0x01, 0x0B],
            [
                0x01, 0x01, 0x7F, // one local, i32
                0x41, 41, 0x21, 0x00, // i32.const 41, local.set 0
                0x03, 0x40, // loop
                0x20, 0x00, 0x41, 0x01, 0x6A, 0x21, 0x00, // local 0 += 1
                0x0C, 0x00, // br 0
                0x0B, 0x0B,
            ],
        ],
        names: ["_start", "spin"]);

    /// <summary>Well formed, but it adds two operands that are not there.</summary>
    public static byte[] Invalid() => Module(functions: 1, start: 0, bodies: [[0x00, 0x6A, 0x0B]], names: ["_start"]);

    /// <summary>A custom section of a length, its number and name included, which is put behind a module.</summary>
    public static byte[] CustomSection(int bytes)
    {
        const int SizeBytes = 5;
        byte[] section = new byte[bytes];
        uint size = (uint)(bytes - 1 - SizeBytes);
        for (int index = 0; index < SizeBytes; index++, size >>= 7)
        {
            section[1 + index] = (byte)((size & 0x7F) | (index < SizeBytes - 1 ? 0x80u : 0));
        }

        section[1 + SizeBytes] = 1;
        section[2 + SizeBytes] = (byte)'x';
        return section;
    }

    private static byte[] Module(int functions, byte start, byte[][] bodies, string[] names)
    {
        var bytes = new List<byte>(Header);
        Section(bytes, 1, [1, 0x60, 0, 0]);
        Section(bytes, 3, [(byte)functions, .. Enumerable.Repeat((byte)0, functions)]);
        Section(bytes, 5, [1, 0, 1]);
        Section(bytes, 7, [2, .. Name("_start"), 0, start, .. Name("memory"), 2, 0]);
        Section(bytes, 10, [(byte)bodies.Length, .. bodies.SelectMany(body => (byte[])[(byte)body.Length, .. body])]);
        byte[] map = [(byte)names.Length, .. names.SelectMany((name, index) => (byte[])[(byte)index, .. Name(name)])];
        Section(bytes, 0, [.. Name("name"), 1, (byte)map.Length, .. map]);
        return [.. bytes];
    }

    private static void Section(List<byte> bytes, byte id, byte[] content)
    {
        // Lengths here are below 128, so that one byte of LEB128 holds them.
        bytes.Add(id);
        bytes.Add(checked((byte)content.Length));
        bytes.AddRange(content);
    }

    private static byte[] Name(string text) => [(byte)text.Length, .. Encoding.ASCII.GetBytes(text)];
}
