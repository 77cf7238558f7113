using Everheap.Vm.Modules;

namespace Everheap.Vm.Tests.Modules;

[TestFixture]
internal sealed class InstructionReaderTests
{
    [Test]
    public void Offsets_are_those_of_the_whole_module()
    {
        byte[] bytes = [0xEE, 0xEE, 0x01, 0x41, 0x80, 0x00, 0x0B, 0xEE];
        var reader = new InstructionReader(bytes, 2, 7);
        var offsets = new List<int>();
        while (reader.Read(out Instruction instruction))
        {
            offsets.Add(instruction.Offset);
        }

        Assert.That(offsets, Is.EqualTo(new[] { 2, 3, 6 }));
        Assert.That(reader.Offset, Is.EqualTo(7));
    }

    [Test]
    public void Immediates_are_decoded()
    {
        Assert.Multiple(() =>
        {
            Assert.That(Read(0x41, 0x7F).Immediate, Is.EqualTo(-1L));
            Assert.That(Read(0x43, 0, 0, 0x80, 0xFF).Immediate, Is.EqualTo(0xFF800000L));
            Assert.That(Read(0x44, 0, 0, 0, 0, 0, 0, 0, 0x80).Immediate, Is.EqualTo(long.MinValue));
            Assert.That(Read(0x28, 2, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F).Immediate, Is.EqualTo((long)uint.MaxValue));
            Assert.That(Read(0x29, 3, 8).AlignmentExponent, Is.EqualTo(3));
            Assert.That(Read(0x11, 4, 1).Index, Is.EqualTo(4));
            Assert.That(Read(0x11, 4, 1).Index2, Is.EqualTo(1));
            Assert.That(Read(0x0E, 2, 5, 6, 7).Labels, Is.EqualTo(new[] { 5, 6, 7 }));
            Assert.That(Read(0x1C, 1, 0x6F).Type, Is.EqualTo(ValType.ExternRef));
            Assert.That(Read(0xD0, 0x70).Type, Is.EqualTo(ValType.FuncRef));
            Assert.That(Read(0x02, 0x7C).BlockType.Result, Is.EqualTo(ValType.F64));
            Assert.That(Read(0x02, 0x40).BlockType.TypeIndex, Is.EqualTo(-1));
            Assert.That(Read(0x02, 0x03).BlockType.TypeIndex, Is.EqualTo(3));
            Assert.That(Read(0xFC, 0x0E, 2, 1).Opcode, Is.EqualTo(Opcode.TableCopy));
            Assert.That(Read(0xFC, 0x0E, 2, 1).Index2, Is.EqualTo(1));
            Assert.That(Read(0xFC, 0x87, 0x00).Opcode, Is.EqualTo(Opcode.I64TruncSatF64U));
        });
    }

    [TestCase((ushort)0x6A, "i32.add")]
    [TestCase((ushort)0x2C, "i32.load8_s")]
    [TestCase((ushort)0xAD, "i64.extend_i32_u")]
    [TestCase((ushort)0xC2, "i64.extend8_s")]
    [TestCase((ushort)0x0D, "br_if")]
    [TestCase((ushort)0x11, "call_indirect")]
    [TestCase((ushort)0x1C, "select")]
    [TestCase((ushort)0xD1, "ref.is_null")]
    [TestCase((ushort)0xFC07, "i64.trunc_sat_f64_u")]
    [TestCase((ushort)0xFC0A, "memory.copy")]
    [TestCase((ushort)0xFC0D, "elem.drop")]
    public void Instructions_are_named_as_in_the_text_format(ushort opcode, string name) =>
        Assert.That(OpcodeNames.NameOf((Opcode)opcode), Is.EqualTo(name));

    private static Instruction Read(params byte[] bytes)
    {
        var reader = new InstructionReader(bytes, 0, bytes.Length);
        Assert.That(reader.Read(out Instruction instruction));
        Assert.That(reader.Offset, Is.EqualTo(bytes.Length));
        return instruction;
    }
}
