using System.Text;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Tests.Execution;

/// <summary>Modules of a few functions, made by hand: <c>_start</c> is function 0, and there is a page of memory.</summary>
internal static class TinyModule
{
    public static Module Of(params (string Name, byte[] Body)[] functions)
    {
        var bytes = new List<byte> { 0, 0x61, 0x73, 0x6D, 1, 0, 0, 0 };
        Section(bytes, 1, [1, 0x60, 0, 0]);
        Section(bytes, 3, [(byte)functions.Length, .. functions.Select(_ => (byte)0)]);
        Section(bytes, 5, [1, 0, 1]);
        Section(bytes, 7, [1, .. Name("_start"), 0, 0]);
        Section(bytes, 10, [(byte)functions.Length, .. functions.SelectMany(function => (byte[])[(byte)function.Body.Length, .. function.Body])]);
        byte[] names = [(byte)functions.Length, .. functions.SelectMany((function, index) => (byte[])[(byte)index, .. Name(function.Name)])];
        Section(bytes, 0, [.. Name("name"), 1, (byte)names.Length, .. names]);
        return Module.Decode(bytes.ToArray());
    }

    // One byte of LEB128 holds every length here.
    private static void Section(List<byte> bytes, byte id, byte[] content)
    {
        bytes.Add(id);
        bytes.Add(content.Length < 128 ? (byte)content.Length : throw new ArgumentException("a tiny module's sections are below 128 bytes"));
        bytes.AddRange(content);
    }

    private static byte[] Name(string text) => [(byte)text.Length, .. Encoding.ASCII.GetBytes(text)];
}
