using System.Globalization;
using System.Security.Cryptography;
using Everheap.Vm.Modules;
using static Everheap.Vm.Tests.Modules.ModuleBytes;

namespace Everheap.Vm.Tests.Modules;

/// <summary>
/// Damages modules at random: whatever comes of it must be accepted or refused with a place, and may not cost more than its size
/// explains. EVERHEAP_SEED repeats a run; EVERHEAP_TORTURE=long makes a longer one.
/// </summary>
[TestFixture]
internal sealed class MutationTests
{
    private const int UsualMutantsOfEachSmallModule = 20_000;
    private const int LongMutantsOfEachSmallModule = 200_000;
    private const int MutatedBytesOfEachLargeModule = 6 << 20;
    private static int MutantsOfEachSmallModule =>
        TestLength.IsLong ? LongMutantsOfEachSmallModule : UsualMutantsOfEachSmallModule;

    private static IEnumerable<TestCaseData> SmallModules()
    {
        yield return Case("everything", Everything());
        yield return Case("segments", Segments());
        yield return Case("objects", FeatureModules.Objects);
        yield return Case("control", FeatureModules.Control);
        yield return Case("storage", FeatureModules.Storage);
        yield return Case("locals", Of(EmptyType, Section(3, 2, 0, 0), Section(10, [2, 9, 3, 1, I32, 2, I64, 1, F32, 1, End, 6, 1, 0x80, 0x01, I32, 1, End])));
    }

    private static IEnumerable<TestCaseData> LargeModules() =>
        RealModules.Paths.Select(path => Case(Path.GetFileNameWithoutExtension(path), File.ReadAllBytes(path)));

    [TestCaseSource(nameof(SmallModules))]
    public void A_small_module_is_valid_before_it_is_damaged(byte[] module) => Assert.DoesNotThrow(() => Module.Decode(module));

    [TestCaseSource(nameof(SmallModules))]
    public void Mutants_of_a_small_module_never_crash(byte[] module) => Damage(module, MutantsOfEachSmallModule);

    [TestCaseSource(nameof(LargeModules))]
    public void Mutants_of_a_real_module_never_crash(byte[] module) =>
        Damage(module, Math.Max(4, MutatedBytesOfEachLargeModule / module.Length));

    private static TestCaseData Case(string name, byte[] module) => new TestCaseData(module).SetArgDisplayNames(name);

    private static void Damage(byte[] module, int count)
    {
        int seed = Environment.GetEnvironmentVariable("EVERHEAP_SEED") is { Length: > 0 } given
            ? int.Parse(given, CultureInfo.InvariantCulture)
            : RandomNumberGenerator.GetInt32(int.MaxValue);
        var random = new Random(seed);
        int refused = 0;
        for (int i = 0; i < count; i++)
        {
            refused += ModuleMutator.IsRefused(ModuleMutator.Mutate(module, random), $"mutant {i} with EVERHEAP_SEED={seed}") ? 1 : 0;
        }

        TestContext.Out.WriteLine($"EVERHEAP_SEED={seed}: {count:N0} mutants, {refused:N0} refused");
    }

    /// <summary>A module with every section and most kinds of instruction.</summary>
    private static byte[] Everything() => Of(
        Section(1, 3, 0x60, 0, 0, 0x60, 2, I32, I64, 1, F32, 0x60, 1, I32, 2, I32, I32),
        Section(2, [2, .. Name("m"), .. Name("f"), 0, 0, .. Name("m"), .. Name("g"), 3, I32, 0]),
        Section(3, 2, 1, 0),
        Section(4, 2, FuncRef, 1, 4, 9, ExternRef, 0, 1),
        Section(5, 1, 1, 1, 3),
        Section(6, 2, I32, 1, 0x23, 0, End, FuncRef, 0, 0xD2, 1, End),
        Section(7, [2, .. Name("run"), 0, 1, .. Name("memory"), 2, 0]),
        Section(8, 2),
        Section(9, 2, 0, 0x41, 1, End, 2, 1, 2, 5, FuncRef, 1, 0xD0, FuncRef, End),
        Section(12, 1),
        Section(10, [
            2,
            .. Body([0, 0x20, 0, 0x04, I32, 0x41, 7, 0x05, 0x20, 1, 0xA7, End, 0x28, 2, 8, 0xB2, 0x0F, End]),
            .. Body([
                2, 1, I32, 1, 0x7C, 0x02, 0x40, 0x03, 0x40, 0x20, 0, 0x0D, 1, 0x41, 3, 0x0E, 1, 0, 1, End, End,
                0x41, 1, 0x02, 2, 0x41, 2, End, 0x6A, 0x21, 0, 0x41, 0, 0x42, 5, 0x41, 0, 0x11, 1, 0, 0x1A,
                0x41, 0, 0x41, 0, 0x41, 0, 0xFC, 8, 0, 0, 0xFC, 9, 0, 0x41, 0, 0x25, 0, 0xD1, 0x1A,
                0xD0, ExternRef, 0x41, 1, 0xFC, 15, 1, 0x40, 0, 0x1A, 0x44, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0xFC, 2, 0x24, 1, End])]),
        Section(11, 1, 1, 3, 1, 2, 3),
        Section(0, [.. Name("name"), .. Section(1, [1, 1, .. Name("run")]), .. Section(2, [1, 1, 1, 0, .. Name("x")])]));

    private static byte[] Segments() => Of(
        EmptyType,
        Section(3, 1, 0),
        Section(4, 1, FuncRef, 0, 8),
        Section(5, 1, 0, 1),
        Section(9, [
            8, 0, 0x41, 0, End, 1, 0, 1, 0, 1, 0, 2, 0, 0x41, 0, End, 0, 1, 0, 3, 0, 1, 0, 4, 0x41, 0, End, 1, 0xD2, 0, End,
            5, FuncRef, 1, 0xD2, 0, End, 6, 0, 0x41, 0, End, FuncRef, 1, 0xD2, 0, End, 7, FuncRef, 1, 0xD0, FuncRef, End]),
        Section(12, 3),
        Code(0x41, 0, 0x41, 0, 0x41, 0, 0xFC, 12, 1, 0, 0xFC, 13, 1, End),
        Section(11, 3, 0, 0x41, 0, End, 1, 5, 1, 1, 5, 2, 0, 0x41, 0, End, 1, 5));

    private static byte[] Body(byte[] contents) => [.. U32((uint)contents.Length), .. contents];
}
