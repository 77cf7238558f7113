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

    [Test]
    public void Immediates_of_3_0_are_decoded()
    {
        Assert.Multiple(() =>
        {
            Assert.That(Read(0x28, 0x42, 5, 8) is { Index: 5, AlignmentExponent: 2, Immediate: 8 }, "a memory access with an index");
            Assert.That(Read(0x29, 3, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1).Immediate, Is.EqualTo(-1L));
            Assert.That(Read(0x40, 0x85, 1).Index, Is.EqualTo(133));
            Assert.That(Read(0xFC, 0x0A, 2, 1) is { Index: 2, Index2: 1 }, "memory.copy");
            Assert.That(Read(0x14, 7).Index, Is.EqualTo(7));
            Assert.That(Read(0xD0, 7).Type, Is.EqualTo(ValTypes.Concrete(7)));
            Assert.That(Read(0x02, 0x64, 7).BlockType.Result, Is.EqualTo(ValTypes.Concrete(7).AsNonNull()));
            Assert.That(Read(0xFB, 0x14, 0x6C).Type, Is.EqualTo(ValType.I31Ref.AsNonNull()));
            Assert.That(Read(0xFB, 0x17, 0x6C).Type, Is.EqualTo(ValType.I31Ref));
            Instruction cast = Read(0xFB, 0x18, 2, 3, 0x6E, 9);
            Assert.That(cast.Index == 3 && cast.Type == ValType.AnyRef.AsNonNull() && cast.Type2 == ValTypes.Concrete(9), "br_on_cast");
            Assert.That(Read(0xFD, 0x15, 9).Lane, Is.EqualTo(9));
            Assert.That(Read(0xFD, 0x54, 0, 4, 9) is { Immediate: 4, Lane: 9 }, "v128.load8_lane");
            Assert.That(Read([0xFD, 0x0C, .. Enumerable.Range(1, 16).Select(i => (byte)i)]).Immediate, Is.EqualTo(0x0807060504030201));
            Assert.That(Read([0xFD, 0x0C, .. Enumerable.Range(1, 16).Select(i => (byte)i)]).Immediate2, Is.EqualTo(0x100F0E0D0C0B0A09));
            Assert.That(Read(0xFD, 0x93, 2).Opcode, Is.EqualTo(Opcode.I32x4RelaxedDotI8x16I7x16AddS));
            Assert.That(Read(0xFE, 0x03, 0).Opcode, Is.EqualTo(Opcode.AtomicFence));
            Assert.That(Read(0x18, 4).Index, Is.EqualTo(4));
            Assert.That(
                Read(0x1F, 0x40, 4, 0, 5, 1, 1, 6, 2, 2, 3, 3, 4).Catches,
                Is.EqualTo(new[]
                {
                    new CatchClause(CatchKind.Catch, 5, 1),
                    new CatchClause(CatchKind.CatchRef, 6, 2),
                    new CatchClause(CatchKind.CatchAll, -1, 3),
                    new CatchClause(CatchKind.CatchAllRef, -1, 4),
                }));
        });
    }

    [TestCase(new byte[] { 0xFD, 0x9A, 0x01 }, "illegal opcode 0xfd 0x9a")]
    [TestCase(new byte[] { 0xFD, 0x94, 0x02 }, "illegal opcode 0xfd 0x114")]
    [TestCase(new byte[] { 0xFE, 0x04 }, "illegal opcode 0xfe 0x04")]
    [TestCase(new byte[] { 0xFB, 0x1F }, "illegal opcode 0xfb 0x1f")]
    [TestCase(new byte[] { 0xFD, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F }, "illegal opcode 0xfd 0xffffffff")]
    [TestCase(new byte[] { 0x16 }, "illegal opcode 0x16")]
    [TestCase(new byte[] { 0xFE, 0x03, 1 }, "zero byte expected behind atomic.fence, found 0x01")]
    [TestCase(new byte[] { 0xFB, 0x18, 4, 0, 0x6E, 0x6E }, "malformed br_on_cast flags 0x04")]
    [TestCase(new byte[] { 0x1F, 0x40, 1, 4, 0 }, "malformed catch clause kind 0x04")]
    [TestCase(new byte[] { 0xD0, 0x40 }, "malformed heap type 0x40")]
    public void What_is_no_instruction_is_refused(byte[] bytes, string message) => Assert.That(
        () =>
        {
            var reader = new InstructionReader(bytes, 0, bytes.Length);
            reader.Read(out Instruction _);
        },
        Throws.TypeOf<WasmFormatException>().With.Message.Contains(message));

    [TestCase(0xFD54, "v128.load8_lane")]
    [TestCase(0xFD01, "v128.load8x8_s")]
    [TestCase(0xFDFC, "i32x4.trunc_sat_f64x2_s_zero")]
    [TestCase(0xFD7C, "i16x8.extadd_pairwise_i8x16_s")]
    [TestCase(0xFD113, "i32x4.relaxed_dot_i8x16_i7x16_add_s")]
    [TestCase(0xFE00, "memory.atomic.notify")]
    [TestCase(0xFE03, "atomic.fence")]
    [TestCase(0xFE20, "i32.atomic.rmw8.add_u")]
    [TestCase(0xFE49, "i64.atomic.rmw.cmpxchg")]
    [TestCase(0xFB1A, "any.convert_extern")]
    [TestCase(0xFB1D, "i31.get_s")]
    [TestCase(0xFB1C, "ref.i31")]
    [TestCase(0xFB19, "br_on_cast_fail")]
    [TestCase(0x15, "return_call_ref")]
    [TestCase(0x1F, "try_table")]
    [TestCase(0x19, "catch_all")]
    [TestCase(0xD6, "br_on_non_null")]
    public void Instructions_of_3_0_are_named_as_in_the_text_format(int opcode, string name) =>
        Assert.That(OpcodeNames.NameOf((Opcode)opcode), Is.EqualTo(name));

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
