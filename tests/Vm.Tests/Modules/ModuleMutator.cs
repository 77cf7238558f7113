using System.Diagnostics;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Tests.Modules;

/// <summary>Damages modules, and sees to it that what comes of it is accepted or refused at a bounded cost.</summary>
internal static class ModuleMutator
{
    private const int MutationsMax = 8;

    // All functions' locals together may take this much; everything else is in proportion to the module.
    private const long AllocatedBytesMax = (ModuleLimits.LocalsInModuleMax * (long)sizeof(ValType)) + (16 << 20);
    private const long AllocatedBytesPerByteMax = 256;

    // Only what hangs takes so long, however busy the machine is.
    private static readonly TimeSpan TimeMax = TimeSpan.FromSeconds(60);

    private static readonly byte[] LikelyBytes =
    [
        0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x0A, 0x0B, 0x0E, 0x12, 0x14, 0x18, 0x19, 0x1F, 0x40, 0x4E, 0x4F, 0x50, 0x5E, 0x5F, 0x60, 0x63, 0x64,
        0x69, 0x6B, 0x6D, 0x6E, 0x6F, 0x70, 0x7B, 0x7F, 0x80, 0xD2, 0xD5, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF,
    ];

    /// <summary>Decodes and validates a mutant, and reads all that is read when it is asked for.</summary>
    /// <param name="mutant">The damaged module.</param>
    /// <param name="what">What it is, for the failure.</param>
    /// <returns>Whether it was refused. It fails the test if it cost more than its size explains, or was refused without a place.</returns>
    public static bool IsRefused(byte[] mutant, string what)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        long started = Stopwatch.GetTimestamp();
        bool isRefused = false;
        try
        {
            Module decoded = Module.Decode(mutant);
            _ = decoded.Name;
            _ = decoded.FunctionNames.Count + decoded.LocalNames.Count + decoded.Features.Count;
            decoded.BranchHints?.TryGet(0, out _);
        }
        catch (WasmFormatException refusal) when (refusal.Offset >= 0 && refusal.Offset <= mutant.Length)
        {
            isRefused = true;
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.That(allocated, Is.LessThan(AllocatedBytesMax + (AllocatedBytesPerByteMax * mutant.Length)), $"{what}: bytes allocated");
        Assert.That(Stopwatch.GetElapsedTime(started), Is.LessThan(TimeMax), what);
        return isRefused;
    }

    /// <summary>A module with a few places changed.</summary>
    public static byte[] Mutate(byte[] module, Random random)
    {
        byte[] mutant = [.. module];
        int mutations = random.Next(2) == 0 ? 1 : random.Next(1, MutationsMax + 1);
        for (int i = 0; i < mutations && mutant.Length > 0; i++)
        {
            int at = random.Next(mutant.Length);
            switch (random.Next(8))
            {
                case 0:
                    mutant[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1 or 2:
                    mutant[at] = LikelyBytes[random.Next(LikelyBytes.Length)];
                    break;
                case 3:
                    mutant[at] = (byte)random.Next(256);
                    break;
                case 4:
                    // A huge number where a small one was.
                    mutant.AsSpan(at, Math.Min(random.Next(1, 6), mutant.Length - at)).Fill(0xFF);
                    break;
                case 5:
                    // A piece of the module in another place.
                    int length = random.Next(1, Math.Min(64, mutant.Length - at) + 1);
                    mutant.AsSpan(at, length).ToArray().CopyTo(mutant, random.Next(mutant.Length - length + 1));
                    break;
                case 6:
                    mutant = random.Next(4) == 0 ? mutant[..at] : [.. mutant.AsSpan(0, at), .. mutant.AsSpan(at + 1)];
                    break;
                default:
                    mutant = [.. mutant.AsSpan(0, at), (byte)random.Next(256), .. mutant.AsSpan(at)];
                    break;
            }
        }

        return mutant;
    }
}
