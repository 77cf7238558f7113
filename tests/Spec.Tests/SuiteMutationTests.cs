using System.Globalization;
using System.Security.Cryptography;
using Everheap.Vm.Tests;
using Everheap.Vm.Tests.Modules;

namespace Everheap.Spec.Tests;

/// <summary>
/// Damages the suite's modules, of all features, at random: decoder and validator must accept or refuse whatever comes of it, at a bounded cost. EVERHEAP_SEED
/// repeats a run; EVERHEAP_TORTURE=long makes one of a million.
/// </summary>
[TestFixture]
internal sealed class SuiteMutationTests
{
    private const int UsualMutants = 50_000;
    private const int LongMutants = 1_000_000;
    private const int ModuleBytesMax = 64 << 10;

    [Test]
    public void Mutants_of_the_suite_never_crash()
    {
        OfficialSuiteTests.Require_the_suite_and_the_converter();
        int seed = Environment.GetEnvironmentVariable("EVERHEAP_SEED") is { Length: > 0 } given
            ? int.Parse(given, CultureInfo.InvariantCulture)
            : RandomNumberGenerator.GetInt32(int.MaxValue);
        TestContext.Out.WriteLine($"EVERHEAP_SEED={seed}");
        List<byte[]> modules = SuiteModules.OfAtMost(ModuleBytesMax, isLegacyIncluded: true);
        var random = new Random(seed);
        int mutants = TestLength.IsLong ? LongMutants : UsualMutants;
        int refused = 0;
        for (int i = 0; i < mutants; i++)
        {
            byte[] module = modules[random.Next(modules.Count)];
            refused += ModuleMutator.IsRefused(ModuleMutator.Mutate(module, random), $"mutant {i} with EVERHEAP_SEED={seed}") ? 1 : 0;
        }

        TestContext.Out.WriteLine($"{mutants:N0} mutants of {modules.Count:N0} modules, {refused:N0} refused");
    }
}
