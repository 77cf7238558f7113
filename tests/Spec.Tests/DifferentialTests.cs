using System.Globalization;
using System.Security.Cryptography;
using Everheap.Vm.Modules;
using Everheap.Vm.Tests;

namespace Everheap.Spec.Tests;

/// <summary>
/// Another validator as a witness: damaged modules of the official suite must be accepted by both or refused by both. EVERHEAP_SEED
/// repeats a run; EVERHEAP_TORTURE=long makes a longer one. The witness keeps about 160 KB for every module that it is shown.
/// </summary>
[TestFixture]
internal sealed class DifferentialTests
{
    private const int UsualMutants = 2_000;
    private const int LongMutants = 20_000;
    private const int MutationsMax = 4;
    private const int ModuleBytesMax = 4_000;

    private static readonly byte[] LikelyBytes =
    [
        0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x08, 0x0A, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0x12, 0x14, 0x1A, 0x1B, 0x1C, 0x1F, 0x40, 0x41, 0x42, 0x4E, 0x4F, 0x50, 0x5E, 0x5F,
        0x63, 0x64, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x70, 0x71, 0x73, 0x7B, 0x7C, 0x7D, 0x7E, 0x7F, 0x80, 0xD0, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF,
    ];

    private static int Mutants => TestLength.IsLong ? LongMutants : UsualMutants;

    [Test]
    public void Damaged_modules_are_judged_as_Wasmtime_judges_them()
    {
        OfficialSuiteTests.Require_the_suite_and_the_converter();
        int seed = Environment.GetEnvironmentVariable("EVERHEAP_SEED") is { Length: > 0 } given
            ? int.Parse(given, CultureInfo.InvariantCulture)
            : RandomNumberGenerator.GetInt32(int.MaxValue);
        TestContext.Out.WriteLine($"EVERHEAP_SEED={seed}");
        var random = new Random(seed);
        List<byte[]> modules = SuiteModules.OfAtMost(ModuleBytesMax, isLegacyIncluded: false);
        using Wasmtime.Engine engine = WitnessEngine();
        int accepted = 0;
        int passedOver = 0;
        var disagreements = new List<string>();
        int mutants = Mutants;
        for (int i = 0; i < mutants; i++)
        {
            byte[] mutant = Mutate(modules[random.Next(modules.Count)], random);
            WasmFormatException? refusal = null;
            try
            {
                Module module = Module.Decode(mutant);
                accepted++;
                if (module.Features.Any(use => use.Feature == WasmFeature.LegacyExceptions))
                {
                    passedOver++;
                    continue;
                }
            }
            catch (WasmFormatException e)
            {
                refusal = e;
            }

            if (refusal?.UnsupportedFeature is not null)
            {
                passedOver++;
                continue;
            }

            string? witness = Wasmtime.Module.Validate(engine, mutant);
            if ((refusal is null) != (witness is null))
            {
                disagreements.Add($"{Convert.ToHexString(mutant)}: we say {refusal?.Message ?? "valid"}, the witness says {witness ?? "valid"}");
            }
        }

        TestContext.Out.WriteLine($"{mutants:N0} mutants of {modules.Count:N0} modules, {accepted:N0} accepted, {passedOver:N0} passed over");
        Assert.That(disagreements, Is.Empty);
    }

    // The older exceptions are the one feature that we have and the witness has not.
    private static Wasmtime.Engine WitnessEngine() => new(new Wasmtime.Config()
        .WithRelaxedSIMD(true, false)
        .WithSIMD(true)
        .WithTailCalls(true)
        .WithFunctionReferences(true)
        .WithGc(true)
        .WithWasmThreads(true)
        .WithMultiMemory(true)
        .WithMemory64(true)
        .WithExceptions(true)
        .WithWideArithmetic(false));

    private static byte[] Mutate(byte[] module, Random random)
    {
        byte[] mutant = [.. module];
        int mutations = random.Next(1, MutationsMax + 1);
        for (int i = 0; i < mutations; i++)
        {
            int at = random.Next(8, mutant.Length + 1) - 1;
            switch (random.Next(4))
            {
                case 0:
                    mutant[at] = (byte)random.Next(256);
                    break;
                case 1:
                    mutant[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    // Two neighbours change places: opcodes and immediates stay what they are.
                    int next = Math.Min(at + 1, mutant.Length - 1);
                    (mutant[at], mutant[next]) = (mutant[next], mutant[at]);
                    break;
                default:
                    mutant[at] = LikelyBytes[random.Next(LikelyBytes.Length)];
                    break;
            }
        }

        return mutant;
    }
}
