using Everheap.Vm.Modules;
using static Everheap.Vm.Tests.Modules.ModuleBytes;

namespace Everheap.Vm.Tests.Modules;

/// <summary>What a few bytes may cost is bounded, and the error says by which limit.</summary>
[TestFixture]
internal sealed class LimitTests
{
    [Test]
    public void Exactly_as_many_locals_as_allowed_are_accepted()
    {
        byte[] groups = [2, .. U32(ModuleLimits.LocalsMax - 1), I32, 1, I64];

        Module module = Module.Decode(Of(EmptyType, Section(3, 1, 0), CodeWithLocals(groups, End)));

        Assert.That(module.Bodies[0].Locals, Has.Length.EqualTo(ModuleLimits.LocalsMax));
    }

    [Test]
    public void One_local_too_many_is_refused() =>
        Refusal.Expect(
            Of(EmptyType, Section(3, 1, 0), CodeWithLocals([1, .. U32(ModuleLimits.LocalsMax + 1), I32], End)),
            FirstInstruction - 1,
            "too many locals: the function has 50,001 with its parameters, where at most 50,000 are allowed");

    [Test]
    public void Groups_of_locals_whose_sum_overflows_32_bits_are_refused() =>
        Refusal.Expect(
            Of(EmptyType, Section(3, 1, 0), CodeWithLocals([2, .. U32(uint.MaxValue), I32, 1, I32], End)),
            FirstInstruction - 1,
            "too many locals: the function has 4,294,967,296");

    [Test]
    public void Many_functions_of_many_locals_have_a_limit_together()
    {
        // 1,100 functions of 50,000 locals each, in about 10 bytes a function.
        const int Count = 1_100;
        byte[] body = [6, 1, .. U32(ModuleLimits.LocalsMax), I32, End];
        byte[] functions = [.. U32(Count), .. new byte[Count]];
        byte[] code = [.. U32(Count), .. Enumerable.Repeat(body, Count).SelectMany(bytes => bytes)];

        Assert.That(
            Refusal.Of(Of(EmptyType, Section(3, functions), Section(10, code))).Message,
            Does.Contain("too many locals in all functions: 50,050,000, where at most 50,000,000 are allowed"));
    }

    [TestCase((byte)1, "types")]
    [TestCase((byte)2, "imports")]
    [TestCase((byte)3, "functions")]
    [TestCase((byte)4, "tables")]
    [TestCase((byte)5, "memories")]
    [TestCase((byte)6, "globals")]
    [TestCase((byte)7, "exports")]
    [TestCase((byte)9, "element segments")]
    [TestCase((byte)10, "function bodies")]
    [TestCase((byte)11, "data segments")]
    [TestCase((byte)13, "tags")]
    public void A_count_that_the_bytes_cannot_hold_allocates_nothing(byte section, string what)
    {
        byte[] module = Of(Section(section, U32(uint.MaxValue)));
        Refusal.Of(module); // Loads what the first throw loads.

        long before = GC.GetAllocatedBytesForCurrentThread();
        WasmFormatException refusal = Refusal.Of(module);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.That(refusal.Message, Does.Contain($"4,294,967,295 {what} are declared, but only 0 bytes are left"));
        Assert.That(allocated, Is.LessThan(1 << 20));
    }

    [Test]
    public void Blocks_may_nest_deeply_without_any_recursion()
    {
        const int Depth = ModuleLimits.NestingMax - 1; // The function is a block itself.
        byte[] code = [.. Enumerable.Repeat(new byte[] { 0x02, 0x40 }, Depth).SelectMany(b => b), .. Enumerable.Repeat(End, Depth + 1)];

        Assert.DoesNotThrow(() => Module.Decode(Function(code)));
    }

    [Test]
    public void Blocks_nested_too_deeply_are_refused() =>
        Assert.That(
            Refusal.Of(Function([.. Enumerable.Repeat(new byte[] { 0x03, 0x40 }, ModuleLimits.NestingMax).SelectMany(b => b)])).Message,
            Does.Contain("blocks are nested too deeply: at most 65,536 are allowed"));

    [Test]
    public void Too_many_operands_are_refused() =>
        Assert.That(
            Refusal.Of(Function([.. Enumerable.Repeat(new byte[] { 0x41, 0 }, ModuleLimits.OperandsMax + 1).SelectMany(b => b), End])).Message,
            Does.Contain("too many operands: 65,537 on the stack at once"));

    [Test]
    public void Too_many_parameters_are_refused() =>
        Assert.That(
            Refusal.Of(Of(Section(1, [1, 0x60, .. U32(1_001), .. Enumerable.Repeat(I32, 1_001), 0]))).Message,
            Does.Contain("too many parameters: 1,001, where at most 1,000 are allowed"));

    [Test]
    public void Too_many_labels_are_refused()
    {
        byte[] labels = new byte[ModuleLimits.BranchTableLabelsMax + 2];

        Assert.That(
            Refusal.Of(Function([0x41, 0, 0x0E, .. U32(ModuleLimits.BranchTableLabelsMax + 1), .. labels, End])).Message,
            Does.Contain("too many labels of br_table: 65,521, where at most 65,520 are allowed"));
    }

    [Test]
    public void Too_many_memories_are_refused() =>
        Assert.That(
            Refusal.Of(Of(Section(5, [101, .. Enumerable.Repeat(new byte[] { 0, 0 }, 101).SelectMany(b => b)]))).Message,
            Does.Contain("too many memories: 101, where at most 100 are allowed"));

    [Test]
    public void Too_many_tags_are_refused()
    {
        const int Count = ModuleLimits.TagsMax + 1;

        Assert.That(
            Refusal.Of(Of(EmptyType, Section(13, [.. U32(Count), .. new byte[2 * Count]]))).Message,
            Does.Contain("too many tags: 1,000,001, where at most 1,000,000 are allowed"));
    }

    [Test]
    public void Too_many_types_in_one_recursion_group_are_refused()
    {
        const int Count = ModuleLimits.TypesMax + 1;

        Assert.That(
            Refusal.Of(Of(Section(1, [1, 0x4E, .. U32(Count), .. new byte[2 * Count]]))).Message,
            Does.Contain("too many types of a recursion group: 1,000,001, where at most 1,000,000 are allowed"));
    }

    [Test]
    public void Too_many_types_in_all_recursion_groups_are_refused()
    {
        byte[] half = [0x4E, .. U32((ModuleLimits.TypesMax / 2) + 1), .. Enumerable.Repeat(new byte[] { 0x5F, 0 }, (ModuleLimits.TypesMax / 2) + 1).SelectMany(b => b)];

        Assert.That(
            Refusal.Of(Of(Section(1, [2, .. half, .. half]))).Message,
            Does.Contain("too many types: 1,000,002 in all recursion groups, where at most 1,000,000 are allowed"));
    }

    [Test]
    public void Types_below_too_many_supertypes_are_refused()
    {
        byte[] types = [0x50, 0, 0x5F, 0, .. Enumerable.Range(0, ModuleLimits.SubtypeDepthMax + 1).SelectMany(above => new byte[] { 0x50, 1, (byte)above, 0x5F, 0 })];

        Assert.That(Refusal.Of(Of(Section(1, [65, .. types]))).Message, Does.Contain("the type hierarchy is too deep: type 64 has 64 supertypes, where at most 63 are allowed"));
        Assert.DoesNotThrow(() => Module.Decode(Of(Section(1, [64, .. types[..^5]]))));
    }

    [Test]
    public void Too_many_fields_are_refused()
    {
        const int Count = ModuleLimits.StructFieldsMax + 1;

        Assert.That(
            Refusal.Of(Of(Section(1, [1, 0x5F, .. U32(Count), .. new byte[2 * Count]]))).Message,
            Does.Contain("too many fields of a structure: 10,001, where at most 10,000 are allowed"));
    }

    [Test]
    public void Too_many_catch_clauses_are_refused()
    {
        const int Count = ModuleLimits.CatchClausesMax + 1;

        Assert.That(
            Refusal.Of(Function([0x1F, 0x40, .. U32(Count), .. Enumerable.Repeat(new byte[] { 2, 0 }, Count).SelectMany(b => b), End, End])).Message,
            Does.Contain("too many catch clauses of try_table: 10,001, where at most 10,000 are allowed"));
    }

    [Test]
    public void Arrays_made_of_too_many_operands_are_refused()
    {
        byte[] types = Section(1, 2, 0x60, 0, 0, 0x5E, I32, 0);

        Assert.That(
            Refusal.Of(Of(types, Section(3, 1, 0), Code([0x00, 0xFB, 0x08, 1, .. U32(ModuleLimits.ArrayNewFixedElementsMax + 1), 0x1A, End]))).Message,
            Does.Contain("too many elements: 10,001, where at most 10,000 are allowed (array.new_fixed)"));
        Assert.DoesNotThrow(() => Module.Decode(Of(types, Section(3, 1, 0), Code([0x00, 0xFB, 0x08, 1, .. U32(ModuleLimits.ArrayNewFixedElementsMax), 0x1A, End]))));
    }

    [Test]
    public void A_memory_of_64_bit_addresses_has_a_limit_too() =>
        Refusal.Expect(Of(Section(5, [1, 4, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40])), 11, "memory size must be at most 281,474,976,710,656");

    [Test]
    public void A_memory_larger_than_4_GiB_is_refused() =>
        Refusal.Expect(Of(Section(5, [1, 0, .. U32(65_537)])), 11, "memory size must be at most 65,536");

    [Test]
    public void A_minimum_above_the_maximum_is_refused() =>
        Refusal.Expect(Of(Section(4, 1, FuncRef, 1, 2, 1)), 11, "size minimum must not be greater than maximum: found 2 and 1 for a table");
}
