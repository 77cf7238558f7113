using Everheap.Vm.Modules;
using static Everheap.Vm.Tests.Modules.ModuleBytes;

namespace Everheap.Vm.Tests.Modules;

/// <summary>Recursion groups: which types are one, which stand below which.</summary>
[TestFixture]
internal sealed class TypeTests
{
    private const byte RefNull = 0x63;
    private const byte Group = 0x4E;
    private const byte Open = 0x50;
    private const byte Final = 0x4F;
    private const byte Struct = 0x5F;

    [Test]
    public void Equal_function_types_are_one()
    {
        Module module = Module.Decode(Of(Section(1, 3, 0x60, 0, 0, 0x60, 1, I32, 0, 0x60, 0, 0)));

        Assert.That(CanonicalIndices(module), Is.EqualTo(new[] { 0, 1, 0 }));
        Assert.That(module.Types[2], Is.SameAs(module.Types[0]));
    }

    [Test]
    public void A_type_in_a_group_is_not_the_same_type_alone()
    {
        Module module = Module.Decode(Of(Section(1, 3, 0x60, 0, 0, Group, 2, 0x60, 0, 0, 0x60, 0, 0, Group, 1, 0x60, 0, 0)));

        Assert.That(CanonicalIndices(module), Is.EqualTo(new[] { 0, 1, 2, 0 }));
        Assert.That(module.Types[2].Function, Is.EqualTo(module.Types[0].Function));
    }

    [Test]
    public void Groups_that_refer_to_themselves_alike_are_one()
    {
        // Two lists, each of which names itself; then one that names the first list.
        Module module = Module.Decode(Of(Section(1, 3, Struct, 1, RefNull, 0, 0, Struct, 1, RefNull, 1, 0, Struct, 1, RefNull, 0, 0)));

        Assert.That(CanonicalIndices(module), Is.EqualTo(new[] { 0, 0, 2 }));
    }

    [Test]
    public void Types_that_name_one_type_by_two_indices_are_one()
    {
        Module module = Module.Decode(Of(Section(1, 4, Struct, 0, Struct, 0, 0x60, 1, RefNull, 0, 0, 0x60, 1, RefNull, 1, 0)));

        Assert.That(CanonicalIndices(module), Is.EqualTo(new[] { 0, 0, 2, 2 }));
        Assert.That(module.FunctionTypeAt(3).Parameters[0].TypeIndex, Is.Zero);
    }

    [Test]
    public void A_type_that_is_final_is_not_one_that_is_open()
    {
        Module module = Module.Decode(Of(Section(1, 3, Struct, 0, Open, 0, Struct, 0, Final, 0, Struct, 0)));

        Assert.That(CanonicalIndices(module), Is.EqualTo(new[] { 0, 1, 0 }));
        Assert.That(module.Types[1].IsFinal, Is.False);
    }

    [Test]
    public void Types_everywhere_have_canonical_indices()
    {
        byte[] types = Section(1, 3, 0x60, 0, 0, 0x60, 0, 0, 0x60, 1, RefNull, 1, 0);
        Module module = Module.Decode(Of(
            types,
            Section(3, 1, 1),
            Section(4, 1, RefNull, 1, 0, 0),
            Section(13, 1, 0, 1),
            Section(6, 1, RefNull, 1, 0, 0xD0, 1, End),
            CodeWithLocals([1, 1, RefNull, 1], End)));

        Assert.Multiple(() =>
        {
            Assert.That(module.FunctionTypeAt(2).Parameters[0], Is.EqualTo(ValTypes.Concrete(0)));
            Assert.That(module.Tables[0].ElementType, Is.EqualTo(ValTypes.Concrete(0)));
            Assert.That(module.Globals[0].ValueType, Is.EqualTo(ValTypes.Concrete(0)));
            Assert.That(module.Bodies[0].Locals[0], Is.EqualTo(ValTypes.Concrete(0)));
            Assert.That(module.Tags[0].TypeIndex, Is.Zero);
        });
    }

    [Test]
    public void A_type_below_another_may_have_more_fields()
    {
        Module module = Module.Decode(Of(Section(1, 2, Open, 0, Struct, 1, I32, 0, Final, 1, 0, Struct, 2, I32, 0, I64, 1)));

        Assert.That(module.Types[1].Supertype, Is.Zero);
        Assert.That(module.Types[1].Depth, Is.EqualTo(1));
    }

    [TestCase(new byte[] { 2, Struct, 1, I32, 0, Final, 1, 0, Struct, 1, I32, 0 }, "sub type 1 of type 0, which is final")]
    [TestCase(new byte[] { 2, Open, 0, Struct, 1, I32, 0, Final, 1, 0, Struct, 0 }, "sub type 1 does not match super type 0: struct is no subtype of struct i32")]
    [TestCase(new byte[] { 2, Open, 0, Struct, 1, I32, 1, Final, 1, 0, Struct, 1, I32, 0 }, "struct i32 is no subtype of struct (mut i32)")]
    [TestCase(new byte[] { 1, Final, 1, 0, Struct, 0 }, "unknown type 0 as supertype")]
    [TestCase(new byte[] { 1, Final, 2, 0, 0, Struct, 0 }, "sub type with 2 supertypes")]
    [TestCase(new byte[] { 1, Struct, 1, RefNull, 1, 0 }, "unknown type 1, where one before 1, the end of its recursion group, was expected")]
    public void Types_that_do_not_fit_are_refused(byte[] types, string message) =>
        Assert.That(Refusal.Of(Of(Section(1, types))).Message, Does.Contain(message));

    [Test]
    public void A_type_far_below_another_is_found_to_be_below_it()
    {
        // 64 structures, each below the one before; a function takes the n-th and gives it as the m-th.
        byte[] chain = [Open, 0, Struct, 0, .. Enumerable.Range(0, ModuleLimits.SubtypeDepthMax).SelectMany(above => new byte[] { Open, 1, (byte)above, Struct, 0 })];
        for (int below = 0; below <= ModuleLimits.SubtypeDepthMax; below++)
        {
            for (int above = 0; above <= ModuleLimits.SubtypeDepthMax; above++)
            {
                byte[] module = Of(
                    Section(1, [65, .. chain, 0x60, 1, RefNull, .. S33(below), 1, RefNull, .. S33(above)]), Section(3, [1, .. U32(64)]), Code(0x20, 0, End));
                bool isValid = true;
                try
                {
                    Module.Decode(module);
                }
                catch (WasmFormatException e)
                {
                    Assert.That(e.Message, Does.Contain("type mismatch"));
                    isValid = false;
                }

                Assert.That(isValid, Is.EqualTo(above <= below), $"{below} as {above}");
            }
        }
    }

    // A type index below 64 is one byte, as a signed number.
    private static byte[] S33(int index) => [(byte)index];

    private static int[] CanonicalIndices(Module module) => [.. Enumerable.Range(0, module.Types.Count).Select(module.CanonicalTypeIndex)];
}
