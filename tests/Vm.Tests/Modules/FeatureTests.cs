using Everheap.Vm.Modules;
using static Everheap.Vm.Tests.Modules.ModuleBytes;

namespace Everheap.Vm.Tests.Modules;

/// <summary>A module knows which features it uses and where, and what it needs that cannot be run is refused by name before anything is created.</summary>
[TestFixture]
internal sealed class FeatureTests
{
    [Test]
    public void A_module_of_objects_uses_garbage_collected_types() => Assert.That(
        FeaturesOf(FeatureModules.Objects), Is.EqualTo(new[] { WasmFeature.FunctionReferences, WasmFeature.GarbageCollection }));

    [Test]
    public void A_module_of_control_uses_exceptions_tail_calls_and_function_references() => Assert.That(
        FeaturesOf(FeatureModules.Control),
        Is.EqualTo(new[] { WasmFeature.Exceptions, WasmFeature.LegacyExceptions, WasmFeature.TailCalls, WasmFeature.FunctionReferences }));

    [Test]
    public void A_module_of_storage_uses_vectors_threads_memories_and_extended_constants() => Assert.That(
        FeaturesOf(FeatureModules.Storage),
        Is.EqualTo(new[] { WasmFeature.Simd, WasmFeature.RelaxedSimd, WasmFeature.Threads, WasmFeature.MultipleMemories, WasmFeature.Memory64, WasmFeature.ExtendedConstants }));

    [Test]
    public void A_plain_module_uses_none() => Assert.That(FeaturesOf(Function(End)), Is.Empty);

    [Test]
    public void The_first_place_of_a_feature_is_kept()
    {
        Module module = Module.Decode(Function(0x41, 0, 0xFD, 0x11, 0x1A, 0x41, 0, 0xFD, 0x11, 0x1A, End));

        Assert.That(module.Features, Is.EqualTo(new[] { new FeatureUse(WasmFeature.Simd, FirstInstruction + 2) }));
        Assert.That(module.Features[0].Name, Is.EqualTo("simd"));
    }

    [Test]
    public void Every_feature_has_a_name_of_its_own() =>
        Assert.That(Enum.GetValues<WasmFeature>().Select(feature => new FeatureUse(feature, 0).Name), Is.Unique);

    [Test]
    public void Garbage_collected_types_are_refused_by_name_and_nothing_is_created()
    {
        string path = Path.Combine(TestContext.CurrentContext.WorkDirectory, $"{Guid.NewGuid():n}.heap");
        Module module = Module.Decode(Of(Section(1, 2, 0x5F, 0, 0x60, 0, 0), Section(3, 1, 1), Section(7, [1, .. Name("_start"), 0, 0]), Code(End)));

        WasmFormatException refusal = Assert.Throws<WasmFormatException>(() => Process.Create(module, path, new ProcessOptions()))!;

        Assert.Multiple(() =>
        {
            Assert.That(refusal.UnsupportedFeature, Is.EqualTo("gc"));
            Assert.That(refusal.Offset, Is.EqualTo(11));
            Assert.That(refusal.Message, Does.Contain("it is valid, but cannot be run"));
            Assert.That(File.Exists(path), Is.False);
            Assert.That(module.FeatureNotRunnable, Is.EqualTo(new FeatureUse(WasmFeature.GarbageCollection, 11)));
        });
    }

    [Test]
    public void What_keeps_a_module_from_being_run_is_listed()
    {
        Module module = Module.Decode(Of(
            Section(1, 3, 0x5F, 0, 0x60, 0, 0, 0x60, 0, 1, I32),
            Section(2, [3, .. Name("env"), .. Name("f"), 0, 1, .. Name("wasi_snapshot_preview1"), .. Name("sched_yield"), 0, 2, .. Name("wasi_snapshot_preview1"), .. Name("nothing"), 0, 1])));

        IReadOnlyList<string> obstacles = Process.FindObstacles(module);

        Assert.That(obstacles, Has.Count.EqualTo(4));
        Assert.That(obstacles[0], Does.Contain("garbage-collected types"));
        Assert.That(obstacles[1], Does.Contain("no function _start"));
        Assert.That(obstacles[2], Does.Contain("imports function env.f"));
        Assert.That(obstacles[3], Does.Contain("nothing, which WASI preview 1 does not have"));
    }

    [Test]
    public void Branch_hints_are_found_by_instruction()
    {
        // One function, one hint: the br_if at offset 5 of the body is likely taken.
        byte[] hints = Section(0, [.. Name("metadata.code.branch_hint"), 1, 0, 1, 5, 1, 1]);
        Module module = Module.Decode(Of(EmptyType, Section(3, 1, 0), hints, Code(0x02, 0x40, 0x41, 0, 0x0D, 0, End, End)));
        int branch = module.Bodies[0].DeclarationsStart + 5;

        Assert.That(module.Bytes.Span[branch], Is.EqualTo(0x0D));
        Assert.That(module.BranchHints!.TryGet(branch, out bool isLikely), Is.True);
        Assert.That(isLikely, Is.True);
        Assert.That(module.BranchHints.TryGet(branch + 1, out _), Is.False);
    }

    [TestCase(new byte[] { 1, 9, 1, 5, 1, 1 }, TestName = "a function that is not there")]
    [TestCase(new byte[] { 1, 0, 1, 5, 2, 1 }, TestName = "a hint of two bytes")]
    [TestCase(new byte[] { 1, 0, 0xFF, 0xFF, 0x7F }, TestName = "more hints than bytes")]
    public void Malformed_branch_hints_make_no_module_invalid(byte[] contents)
    {
        Module module = Module.Decode(Of(EmptyType, Section(3, 1, 0), Section(0, [.. Name("metadata.code.branch_hint"), .. contents]), Code(End)));

        Assert.That(module.BranchHints!.TryGet(module.Bodies[0].DeclarationsStart + 5, out _), Is.False);
    }

    private static IEnumerable<WasmFeature> FeaturesOf(byte[] module) => Module.Decode(module).Features.Select(use => use.Feature);
}
