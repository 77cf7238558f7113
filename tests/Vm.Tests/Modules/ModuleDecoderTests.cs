using Everheap.Vm.Modules;
using static Everheap.Vm.Tests.Modules.ModuleBytes;

namespace Everheap.Vm.Tests.Modules;

[TestFixture]
internal sealed class ModuleDecoderTests
{
    [Test]
    public void An_empty_module_is_eight_bytes()
    {
        Module module = Module.Decode(Header);

        Assert.That(module.FunctionTypes, Is.Empty);
        Assert.That(module.Name, Is.Null);
    }

    [Test]
    public void No_bytes_at_all_are_no_module() => Refusal.Expect([], 0, "magic header not detected");

    [Test]
    public void Text_is_no_module_and_the_error_says_what_to_do() =>
        Refusal.Expect("(module)"u8.ToArray(), 0, "convert it first");

    [Test]
    public void A_module_cut_off_after_its_magic_number_ends_unexpectedly() =>
        Refusal.Expect(Header[..6], 6, "the version was expected");

    [Test]
    public void A_version_that_is_not_known_is_refused() =>
        Refusal.Expect([0, (byte)'a', (byte)'s', (byte)'m', 2, 0, 0, 0], 4, "unknown binary version 0x00000002");

    [Test]
    public void A_section_longer_than_the_module_is_refused() =>
        Refusal.Expect([.. Header, 1, 5, 0], 9, "5 bytes, but only 1 are left");

    [Test]
    public void Bytes_left_over_in_a_section_are_refused() =>
        Refusal.Expect(Of(Section(1, 0, 0)), 11, "section size mismatch: 1 bytes are left over");

    [Test]
    public void Sections_out_of_order_are_refused() =>
        Refusal.Expect(Of(Section(3, 0), Section(1, 0)), 11, "a Type section may not follow the Function section");

    [Test]
    public void A_section_that_comes_twice_is_refused() =>
        Refusal.Expect(Of(Section(1, 0), Section(1, 0)), 11, "may not follow another one");

    [Test]
    public void The_data_count_section_stands_between_elements_and_code()
    {
        Assert.DoesNotThrow(() => Module.Decode(Of(Section(9, 0), Section(12, 0), Section(10, 0), Section(11, 0))));
        Refusal.Expect(Of(Section(10, 0), Section(12, 0)), 11, "a DataCount section may not follow the Code section");
    }

    [Test]
    public void An_unknown_section_is_refused() => Refusal.Expect(Of([99, 0]), 8, "malformed section id 99");

    [Test]
    public void Custom_sections_are_skipped_wherever_they_stand()
    {
        byte[] custom = Section(0, [.. Name("anything"), 1, 2, 3]);

        Module module = Module.Decode(Of(custom, EmptyType, custom, Section(3, 1, 0), custom, Code(End), custom));

        Assert.That(module.Bodies, Has.Count.EqualTo(1));
    }

    [Test]
    public void Types_imports_exports_and_bodies_are_decoded()
    {
        byte[] module = Of(
            Section(1, 2, 0x60, 2, I32, I64, 1, F32, 0x60, 0, 0),
            Section(2, [4, .. Name("m"), .. Name("f"), 0, 0, .. Name("m"), .. Name("t"), 1, ExternRef, 0, 3, .. Name("m"), .. Name("mem"), 2, 1, 1, 2, .. Name("m"), .. Name("g"), 3, I32, 0]),
            Section(3, 1, 1),
            Section(7, [2, .. Name("run"), 0, 1, .. Name("mem"), 2, 0]),
            Section(8, 1),
            CodeWithLocals([2, 2, I32, 1, F32], End));

        Module decoded = Module.Decode(module);

        Assert.Multiple(() =>
        {
            Assert.That(decoded.Types[0].Type.ToString(), Is.EqualTo("(i32, i64) -> (f32)"));
            Assert.That(decoded.Imports, Is.EqualTo(new[]
            {
                new Import("m", "f", ExternalKind.Function, 0),
                new Import("m", "t", ExternalKind.Table, 0),
                new Import("m", "mem", ExternalKind.Memory, 0),
                new Import("m", "g", ExternalKind.Global, 0),
            }));
            Assert.That(decoded.Tables, Is.EqualTo(new[] { new TableType(ValType.ExternRef, new Limits(3, null)) }));
            Assert.That(decoded.Memories, Is.EqualTo(new[] { new MemoryType(new Limits(1, 2)) }));
            Assert.That(decoded.Exports, Is.EqualTo(new[] { new Export("run", ExternalKind.Function, 1), new Export("mem", ExternalKind.Memory, 0) }));
            Assert.That(decoded.StartFunction, Is.EqualTo(1));
            Assert.That(decoded.ImportedFunctionCount, Is.EqualTo(1));
            Assert.That(decoded.Bodies[0].Locals, Is.EqualTo(new[] { ValType.I32, ValType.I32, ValType.F32 }));
            Assert.That(decoded.Bodies[0].End, Is.EqualTo(module.Length));
            Assert.That(decoded.DisplayNameOf(0), Is.EqualTo("m.f"));
            Assert.That(decoded.DisplayNameOf(1), Is.EqualTo("run"));
        });
    }

    [Test]
    public void Parameters_come_before_locals()
    {
        Module module = Module.Decode(Of(Section(1, 1, 0x60, 1, I64, 0), Section(3, 1, 0), CodeWithLocals([1, 1, F32], End)));

        Assert.That(module.Bodies[0].Locals, Is.EqualTo(new[] { ValType.I64, ValType.F32 }));
    }

    // Every form of element segment: functions listed by index are never null; the bits say passive or declarative (1), an explicit index (2), expressions (4).
    [TestCase(new byte[] { 0, 0x41, 0, End, 1, 0 }, SegmentMode.Active)]
    [TestCase(new byte[] { 1, 0, 1, 0 }, SegmentMode.Passive)]
    [TestCase(new byte[] { 2, 0, 0x41, 0, End, 0, 1, 0 }, SegmentMode.Active)]
    [TestCase(new byte[] { 3, 0, 1, 0 }, SegmentMode.Declarative)]
    [TestCase(new byte[] { 4, 0x41, 0, End, 1, 0xD2, 0, End }, SegmentMode.Active)]
    [TestCase(new byte[] { 5, FuncRef, 1, 0xD2, 0, End }, SegmentMode.Passive)]
    [TestCase(new byte[] { 6, 0, 0x41, 0, End, FuncRef, 1, 0xD2, 0, End }, SegmentMode.Active)]
    [TestCase(new byte[] { 7, FuncRef, 1, 0xD0, FuncRef, End }, SegmentMode.Declarative)]
    public void Every_form_of_element_segment_is_decoded(byte[] segment, SegmentMode mode)
    {
        Module module = Module.Decode(Of(EmptyType, Section(3, 1, 0), Section(4, 1, FuncRef, 0, 1), Section(9, [1, .. segment]), Code(End)));

        ValType elementType = module.Elements[0].Functions is null ? ValType.FuncRef : ValType.FuncRef.AsNonNull();
        Assert.That(module.Elements[0].Mode, Is.EqualTo(mode));
        Assert.That(module.Elements[0].ElementType, Is.EqualTo(elementType));
        Assert.That((module.Elements[0].Functions?.Length ?? 0) + (module.Elements[0].Expressions?.Length ?? 0), Is.EqualTo(1));
    }

    [Test]
    public void An_unknown_form_of_element_segment_is_refused() =>
        Refusal.Expect(Of(Section(9, 1, 8, 0)), 11, "malformed elements segment kind 8");

    [TestCase(new byte[] { 0, 0x41, 0, End, 2, 9, 9 }, SegmentMode.Active)]
    [TestCase(new byte[] { 1, 2, 9, 9 }, SegmentMode.Passive)]
    [TestCase(new byte[] { 2, 0, 0x41, 0, End, 2, 9, 9 }, SegmentMode.Active)]
    public void Every_form_of_data_segment_is_decoded(byte[] segment, SegmentMode mode)
    {
        byte[] bytes = Of(Section(5, 1, 0, 1), Section(11, [1, .. segment]));
        Module module = Module.Decode(bytes);

        Assert.That(module.Data[0].Mode, Is.EqualTo(mode));
        Assert.That(module.Bytes.Slice(module.Data[0].Start, module.Data[0].Length).ToArray(), Is.EqualTo(new byte[] { 9, 9 }));
    }

    [Test]
    public void The_data_count_must_be_the_number_of_data_segments() =>
        Refusal.Expect(Of(Section(12, 2)), 10, "2 declared, 0 present");

    [Test]
    public void Functions_without_bodies_are_refused() =>
        Refusal.Expect(Of(EmptyType, Section(3, 1, 0)), 18, "1 functions, 0 bodies");

    [Test]
    public void A_name_that_is_not_utf8_is_refused() =>
        Refusal.Expect(Of(Section(7, 1, 1, 0xFF, 0, 0)), 12, "malformed UTF-8 encoding in an export's name");

    [Test]
    public void An_export_name_may_come_once_only() =>
        Refusal.Expect(
            Of(Section(5, 1, 0, 0), Section(7, [2, .. Name("a"), 2, 0, .. Name("a"), 2, 0])), 20, "duplicate export name \"a\"");

    [Test]
    public void A_type_index_out_of_range_is_refused() =>
        Refusal.Expect(Of(EmptyType, Section(3, 1, 7)), 17, "unknown type 7: the module has 1");

    [Test]
    public void A_stream_that_holds_too_much_is_not_read_to_its_end()
    {
        using var stream = new MemoryStream(new byte[100_000]);

        WasmFormatException refusal = Assert.Throws<WasmFormatException>(() => Module.Load(stream, bytesMax: 1_000))!;

        Assert.That(refusal.Message, Does.Contain("too large: at most 1,000 bytes"));
        Assert.That(stream.Position, Is.LessThan(100_000));
    }

    [Test]
    public void A_module_is_loaded_from_a_file_and_from_a_stream_that_gives_a_byte_at_a_time()
    {
        byte[] bytes = Function(End);
        string path = Path.Combine(TestContext.CurrentContext.WorkDirectory, $"{Guid.NewGuid():n}.wasm");
        File.WriteAllBytes(path, bytes);
        try
        {
            Assert.That(Module.Load(path).Bytes.ToArray(), Is.EqualTo(bytes));
        }
        finally
        {
            File.Delete(path);
        }

        using var trickle = new TrickleStream(bytes);
        Assert.That(Module.Load(trickle).Bytes.ToArray(), Is.EqualTo(bytes));
    }

    private sealed class TrickleStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(count, 1));
    }
}
