using Everheap.Vm.Modules;
using static Everheap.Vm.Tests.Modules.ModuleBytes;

namespace Everheap.Vm.Tests.Modules;

/// <summary>Features beyond WebAssembly 2.0 are refused by name, never as a puzzle of bytes.</summary>
[TestFixture]
internal sealed class UnsupportedFeatureTests
{
    [TestCase(new byte[] { 0xFD, 0x0C }, "simd", "128-bit vectors (SIMD), which are not supported yet")]
    [TestCase(new byte[] { 0xFE, 0x00 }, "threads", "atomic")]
    [TestCase(new byte[] { 0xFB, 0x00 }, "gc", "garbage-collected types")]
    [TestCase(new byte[] { 0x12, 0x00 }, "tail-calls", "tail calls")]
    [TestCase(new byte[] { 0x13, 0x00, 0x00 }, "tail-calls", "tail calls")]
    [TestCase(new byte[] { 0x08, 0x00 }, "exceptions", "exception handling")]
    [TestCase(new byte[] { 0x1F, 0x40 }, "exceptions", "exception handling")]
    [TestCase(new byte[] { 0x06, 0x40 }, "exceptions", "exception handling")]
    [TestCase(new byte[] { 0x14, 0x00 }, "function-references", "typed function references")]
    [TestCase(new byte[] { 0xFC, 0x13 }, "wide-arithmetic", "128-bit arithmetic")]
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

    [TestCase((byte)0x7B, "simd")]
    [TestCase((byte)0x64, "function-references")]
    [TestCase((byte)0x6E, "gc")]
    [TestCase((byte)0x69, "exceptions")]
    public void Types_of_other_features_are_named(byte type, string feature)
    {
        WasmFormatException refusal = Refusal.Of(Of(Section(1, 1, 0x60, 1, type, 0)));

        Assert.That(refusal.UnsupportedFeature, Is.EqualTo(feature));
        Assert.That(refusal.Offset, Is.EqualTo(13));
    }

    [TestCase((byte)0x03, "threads")]
    [TestCase((byte)0x04, "memory64")]
    [TestCase((byte)0x08, "custom-page-sizes")]
    public void Limits_of_other_features_are_named(byte flags, string feature) =>
        Assert.That(Refusal.Of(Of(Section(5, 1, flags, 1, 1))).UnsupportedFeature, Is.EqualTo(feature));

    [Test]
    public void A_second_memory_is_named() =>
        Assert.That(Refusal.Of(Of(Section(5, 2, 0, 1, 0, 1))).UnsupportedFeature, Is.EqualTo("multi-memory"));

    [Test]
    public void A_component_is_named_and_the_error_says_what_to_do()
    {
        WasmFormatException refusal = Refusal.Of([0, (byte)'a', (byte)'s', (byte)'m', 0x0D, 0, 1, 0]);

        Assert.That(refusal.UnsupportedFeature, Is.EqualTo("component-model"));
        Assert.That(refusal.Message, Does.Contain("wasm32-wasip1"));
    }

    [Test]
    public void Arithmetic_in_a_constant_expression_is_named() =>
        Assert.That(
            Refusal.Of(Of(Section(6, 1, I32, 0, 0x41, 1, 0x41, 1, 0x6A, End))).UnsupportedFeature, Is.EqualTo("extended-const"));

    [Test]
    public void A_fault_that_is_no_feature_names_none() => Assert.That(Refusal.Of([]).UnsupportedFeature, Is.Null);
}
