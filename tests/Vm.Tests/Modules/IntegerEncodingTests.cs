using Everheap.Vm.Modules;
using static Everheap.Vm.Tests.Modules.ModuleBytes;

namespace Everheap.Vm.Tests.Modules;

/// <summary>LEB128 as the core specification, section 5.2.2, wants it: no longer than the type needs, no bits beyond it.</summary>
[TestFixture]
internal sealed class IntegerEncodingTests
{
    [TestCase(new byte[] { 0x00 }, 0u)]
    [TestCase(new byte[] { 0x7F }, 127u)]
    [TestCase(new byte[] { 0x80, 0x01 }, 128u)]
    [TestCase(new byte[] { 0x80, 0x80, 0x80, 0x80, 0x00 }, 0u)]
    [TestCase(new byte[] { 0xFF, 0xFF, 0xFF, 0xFF, 0x0F }, uint.MaxValue)]
    public void Unsigned_numbers_may_be_padded_up_to_five_bytes(byte[] bytes, uint value)
    {
        var reader = new ByteReader(bytes, 0, bytes.Length);

        Assert.That(reader.ReadU32("a number"), Is.EqualTo(value));
        Assert.That(reader.IsAtEnd);
    }

    [TestCase(new byte[] { 0x00 }, 0L)]
    [TestCase(new byte[] { 0x40 }, -64L)]
    [TestCase(new byte[] { 0x7F }, -1L)]
    [TestCase(new byte[] { 0xFF, 0x00 }, 127L)]
    [TestCase(new byte[] { 0xFF, 0xFF, 0xFF, 0xFF, 0x7F }, -1L)]
    [TestCase(new byte[] { 0x80, 0x80, 0x80, 0x80, 0x78 }, (long)int.MinValue)]
    [TestCase(new byte[] { 0xFF, 0xFF, 0xFF, 0xFF, 0x07 }, (long)int.MaxValue)]
    public void Signed_32_bit_numbers_are_sign_extended(byte[] bytes, long value)
    {
        var reader = new ByteReader(bytes, 0, bytes.Length);

        Assert.That(reader.ReadS32("a number"), Is.EqualTo(value));
    }

    [TestCase(new byte[] { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7F }, long.MinValue)]
    [TestCase(new byte[] { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00 }, long.MaxValue)]
    [TestCase(new byte[] { 0x80, 0x80, 0x80, 0x80, 0x78 }, -2147483648L)]
    public void Signed_64_bit_numbers_are_sign_extended(byte[] bytes, long value)
    {
        var reader = new ByteReader(bytes, 0, bytes.Length);

        Assert.That(reader.ReadS64("a number"), Is.EqualTo(value));
    }

    [TestCase(new byte[] { 0x41, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00 }, "integer representation too long")]
    [TestCase(new byte[] { 0x41, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F }, "integer too large")]
    [TestCase(new byte[] { 0x41, 0x80, 0x80, 0x80, 0x80, 0x70 }, "integer too large")]
    [TestCase(new byte[] { 0x42, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01 }, "integer too large")]
    [TestCase(new byte[] { 0x20, 0x80, 0x80, 0x80, 0x80, 0x10 }, "integer too large")]
    [TestCase(new byte[] { 0x20, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00 }, "integer representation too long")]
    public void Numbers_that_do_not_fit_are_refused_where_they_begin(byte[] instruction, string message) =>
        Refusal.Expect(Function([.. instruction, End]), FirstInstruction + 1, message);

    [Test]
    public void A_number_cut_off_by_the_end_of_its_function_is_refused() =>
        Refusal.Expect(Function(0x41, 0x80), FirstInstruction + 2, "unexpected end, where the constant of i32.const was expected");

    [Test]
    public void A_block_type_is_a_33_bit_number()
    {
        Refusal.Expect(Function(0x02, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, End, End), FirstInstruction + 1, "malformed block type 4294967295");
        Refusal.Expect(Function(0x02, 0xFF, 0x7F, End, End), FirstInstruction + 1, "malformed block type -1");
        Refusal.Expect(Function(0x02, 0x85, 0x00, End, End), FirstInstruction, "unknown type 5");
    }
}
