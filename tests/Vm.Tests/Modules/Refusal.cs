using Everheap.Vm.Modules;

namespace Everheap.Vm.Tests.Modules;

/// <summary>Expects modules to be refused.</summary>
internal static class Refusal
{
    public static WasmFormatException Of(byte[] module) => Assert.Throws<WasmFormatException>(() => Module.Decode(module))!;

    public static void Expect(byte[] module, long offset, string message)
    {
        WasmFormatException refusal = Of(module);
        Assert.Multiple(() =>
        {
            Assert.That(refusal.Message, Does.Contain(message));
            Assert.That(refusal.Offset, Is.EqualTo(offset), refusal.Message);
            Assert.That(refusal.Message, Does.StartWith($"at byte 0x{offset:x}: "));
        });
    }
}
