using Everheap.Vm.Modules;
using static Everheap.Vm.Tests.Modules.ModuleBytes;

namespace Everheap.Vm.Tests.Modules;

/// <summary>Features beyond WebAssembly 3.0 are refused by name, never as a puzzle of bytes.</summary>
[TestFixture]
internal sealed class UnsupportedFeatureTests
{
    [TestCase(new byte[] { 0xFC, 0x13 }, "wide-arithmetic", "128-bit arithmetic (wide-arithmetic), which is not supported yet")]
    [TestCase(new byte[] { 0xE0, 0x00 }, "stack-switching", "stack switching")]
    public void Instructions_of_other_features_are_named(byte[] instruction, string feature, string message)
    {
        WasmFormatException refusal = Refusal.Of(Function([.. instruction, End]));

        Assert.Multiple(() =>
        {
            Assert.That(refusal.UnsupportedFeature, Is.EqualTo(feature));
            Assert.That(refusal.Message, Does.Contain(message));
            Assert.That(refusal.Offset, Is.EqualTo(FirstInstruction));
        });
    }

    [Test]
    public void Types_of_other_features_are_named()
    {
        WasmFormatException refusal = Refusal.Of(Of(Section(1, 1, 0x60, 1, 0x68, 0)));

        Assert.That(refusal.UnsupportedFeature, Is.EqualTo("stack-switching"));
        Assert.That(refusal.Offset, Is.EqualTo(13));
    }

    [Test]
    public void Page_sizes_are_named() => Assert.That(Refusal.Of(Of(Section(5, 1, 0x08, 1, 1))).UnsupportedFeature, Is.EqualTo("custom-page-sizes"));

    [Test]
    public void A_component_is_named_and_the_error_says_what_to_do()
    {
        WasmFormatException refusal = Refusal.Of([0, (byte)'a', (byte)'s', (byte)'m', 0x0D, 0, 1, 0]);

        Assert.That(refusal.UnsupportedFeature, Is.EqualTo("component-model"));
        Assert.That(refusal.Message, Does.Contain("wasm32-wasip1"));
    }

    [Test]
    public void A_fault_that_is_no_feature_names_none() => Assert.That(Refusal.Of([]).UnsupportedFeature, Is.Null);
}
