using Everheap.Vm.Modules;
using static Everheap.Vm.Tests.Modules.ModuleBytes;

namespace Everheap.Vm.Tests.Modules;

[TestFixture]
internal sealed class ModuleValidatorTests
{
    [TestCase(new byte[] { 0x6A, End }, 0, "i32.add expects i32, found nothing on the stack of this block")]
    [TestCase(new byte[] { 0x42, 0, 0x41, 0, 0x6A, 0x1A, End }, 4, "i32.add expects i32, found i64")]
    [TestCase(new byte[] { 0x41, 0, End }, 2, "values remaining on stack at end of block, i32, where [] was expected")]
    [TestCase(new byte[] { 0x02, I32, End, 0x1A, End }, 2, "end expects i32, found nothing")]
    [TestCase(new byte[] { 0x41, 0, 0x04, I32, 0x41, 0, End, 0x1A, End }, 6, "an if without an else must leave what it takes, [], not i32")]
    [TestCase(new byte[] { 0x0C, 5, End }, 0, "unknown label 5: 1 blocks are open (br)")]
    [TestCase(new byte[] { 0x20, 0, End }, 0, "unknown local 0: the function has 0 (local.get)")]
    [TestCase(new byte[] { 0x23, 3, End }, 0, "unknown global 3: the module has 0 (global.get)")]
    [TestCase(new byte[] { 0x10, 9, End }, 0, "unknown function 9: the module has 1 (call)")]
    [TestCase(new byte[] { 0x41, 0, 0x28, 2, 0, 0x1A, End }, 2, "unknown memory 0: the module has none (i32.load)")]
    [TestCase(new byte[] { 0x41, 0, 0x11, 0, 0, End }, 2, "unknown table 0")]
    [TestCase(new byte[] { 0xD2, 0, 0x1A, End }, 0, "undeclared function reference: function 0")]
    [TestCase(new byte[] { 0xFC, 9, 0, End }, 0, "data count section required")]
    [TestCase(new byte[] { 0x05, End }, 0, "found an else without an if")]
    [TestCase(new byte[] { 0xD0, FuncRef, 0xD0, FuncRef, 0x41, 0, 0x1B, 0x1A, End }, 6, "select without a type expects numbers")]
    [TestCase(new byte[] { 0x41, 0, 0x42, 0, 0x41, 0, 0x1B, 0x1A, End }, 6, "select expects two of one type, found i32 and i64")]
    [TestCase(new byte[] { 0x41, 0, 0xD1, 0x1A, End }, 2, "expected a reference, found i32")]
    public void Code_that_does_not_fit_is_refused_where_it_stands(byte[] code, int offset, string message) =>
        Refusal.Expect(Function(code), FirstInstruction + offset, message);

    [Test]
    public void A_body_without_its_end_is_refused() =>
        Refusal.Expect(Function(0x01, 0x01), FirstInstruction + 2, "unexpected end of function 0: END opcode expected");

    [Test]
    public void Code_after_the_end_of_its_function_is_refused() =>
        Refusal.Expect(Function(End, 0x01, End), FirstInstruction + 1, "2 bytes follow the one that closes it");

    // Core specification, appendix: after an unconditional branch the stack holds whatever is asked of it.
    [TestCase(new byte[] { 0x00, 0x6A, 0x1A, End })]
    [TestCase(new byte[] { 0x00, 0x1B, 0x1A, End })]
    [TestCase(new byte[] { 0x0F, 0x0D, 0, End })]
    [TestCase(new byte[] { 0x02, I32, 0x00, End, 0x1A, End })]
    [TestCase(new byte[] { 0x00, 0x0E, 1, 0, 0, End })]
    [TestCase(new byte[] { 0x00, 0xD1, 0x1A, End })]
    public void Unreachable_code_takes_whatever_it_needs(byte[] code) => Assert.DoesNotThrow(() => Module.Decode(Function(code)));

    [Test]
    public void Unreachable_code_is_checked_all_the_same() =>
        Refusal.Expect(Function(0x00, 0x42, 0, 0x1B, 0x1A, End), FirstInstruction + 3, "select expects i32, found i64");

    [Test]
    public void What_a_block_around_holds_is_out_of_reach() =>
        Refusal.Expect(Function(0x41, 0, 0x02, 0x40, 0x1A, End, 0x1A, End), FirstInstruction + 4, "drop expects any type, found nothing");

    [Test]
    public void Alignment_may_not_be_larger_than_natural() =>
        Refusal.Expect(
            Of(EmptyType, Section(3, 1, 0), Section(5, 1, 0, 1), Code(0x41, 0, 0x28, 3, 0, 0x1A, End)),
            FirstInstruction + 5 + 2,
            "alignment must not be larger than natural: 2^3, where at most 2^2 is natural (i32.load)");

    [Test]
    public void Labels_of_one_branch_table_must_take_as_many_values() =>
        Refusal.Expect(
            Function(0x02, 0x40, 0x02, I32, 0x41, 0, 0x41, 0, 0x0E, 1, 0, 1, End, 0x1A, End, End),
            FirstInstruction + 8,
            "label 0 takes 1 values, but the default label takes 0");

    [Test]
    public void A_start_function_takes_and_leaves_nothing() =>
        Refusal.Expect(
            Of(Section(1, 1, 0x60, 0, 1, I32), Section(3, 1, 0), Section(8, 0), Code(0x41, 0, End)),
            21,
            "start function: function 0 has the type () -> (i32), where () -> () was expected");

    [Test]
    public void An_immutable_global_may_not_be_set() =>
        Refusal.Expect(
            Of(EmptyType, Section(3, 1, 0), Section(6, 1, I32, 0, 0x41, 0, End), Code(0x41, 0, 0x24, 0, End)),
            FirstInstruction + 8 + 2,
            "immutable global: global 0 may not be set");

    [Test]
    public void A_global_starts_with_a_value_of_its_type() =>
        Refusal.Expect(Of(Section(6, 1, I32, 0, 0x42, 0, End)), 13, "a global's initial value must be i32, found i64 from i64.const");

    [Test]
    public void A_constant_expression_leaves_one_value()
    {
        Refusal.Expect(Of(Section(6, 1, I32, 0, End)), 13, "must be one i32, found 0 values");
        Refusal.Expect(Of(Section(6, 1, I32, 0, 0x41, 0, 0x41, 0, End)), 13, "must be one i32, found 2 values");
        Refusal.Expect(Of(Section(6, 1, I32, 0, 0x01, End)), 13, "constant expression required: nop is not constant");
    }

    [Test]
    public void A_mutable_global_is_not_constant() =>
        Refusal.Expect(
            Of(Section(2, [1, .. Name("m"), .. Name("g"), 3, I32, 1]), Section(6, 1, I32, 0, 0x23, 0, End)),
            23,
            "constant expression required: global 0 is mutable");

    [Test]
    public void An_element_segment_fits_its_table() =>
        Refusal.Expect(
            Of(EmptyType, Section(3, 1, 0), Section(4, 1, ExternRef, 0, 1), Section(9, 1, 0, 0x41, 0, End, 1, 0), Code(End)),
            28,
            "an element segment of (ref func) for table 0 of externref");

    [TestCase(new byte[] { 7, 1, 1, (byte)'f', 0, 0 })]
    [TestCase(new byte[] { 9, 3, 0, 1, 0 })]
    [TestCase(new byte[] { 6, FuncRef, 0, 0xD2, 0, End })]
    public void A_function_that_occurs_outside_of_code_may_be_referred_to(byte[] declaration)
    {
        byte[] section = Section(declaration[0], [1, .. declaration[1..]]);
        if (declaration[0] == 7)
        {
            section = Section(7, declaration[1..]);
        }

        Assert.DoesNotThrow(() => Module.Decode(Of(EmptyType, Section(3, 1, 0), section, Code(0xD2, 0, 0x1A, End))));
    }

    [Test]
    public void A_thousand_types_on_every_branch_do_not_slow_validation_down()
    {
        // 60 branch tables of 65,520 labels that take 1,000 values each: four thousand million comparisons one by one.
        byte[] types = [.. Enumerable.Repeat(I32, 1_000)];
        byte[] type = [1, 0x60, .. U32(1_000), .. types, .. U32(1_000), .. types];
        byte[] table = [0x00, 0x0E, .. U32(ModuleLimits.BranchTableLabelsMax), .. new byte[ModuleLimits.BranchTableLabelsMax + 1]];
        byte[] code = [.. Enumerable.Repeat(table, 60).SelectMany(b => b), End];
        byte[] pushed = [.. Enumerable.Repeat(new byte[] { 0x41, 0 }, 1_001).SelectMany(b => b)];

        var clock = System.Diagnostics.Stopwatch.StartNew();
        Assert.DoesNotThrow(() => Module.Decode(Of(Section(1, type), Section(3, 1, 0), Code([.. pushed, .. code]))));
        TestContext.Out.WriteLine($"{clock.ElapsedMilliseconds} ms");
    }
}
