using System.Globalization;
using Everheap.Vm.Tests;

namespace Everheap.Spec.Tests.Differential;

/// <summary>
/// Generated modules run in Everheap and under the Wasmtime package, and must show the same. EVERHEAP_TORTURE=long runs many more; EVERHEAP_SEED=n runs the module of
/// that seed alone, in every way. Should the process itself go down, the file "random-module-seed" in the tests' work folder names the module.
/// </summary>
[TestFixture]
internal sealed class RandomModuleTests
{
    private const int UsualModules = 100;
    private const int LongModules = 20_000;
    private const int ProgressEvery = 1000;

    // Compiled code uses some MiB of native stack before its frames go to the heap.
    private const int ThreadStackBytes = 64 << 20;

    private static readonly TimeSpan ModuleTimeMax = TimeSpan.FromMinutes(6);

    private readonly List<string> _differences = [];
    private volatile int _seed;
    private long _startedAt;

    [OneTimeSetUp]
    public static void Require_the_witness()
    {
        try
        {
            using var witness = new WasmtimeMachine();
        }
        catch (Exception e) when (e is DllNotFoundException or TypeInitializationException or BadImageFormatException)
        {
            Assert.Ignore($"The witness, Wasmtime's native library, does not load on this machine: {e.Message}");
        }
    }

    [Test]
    public void Generated_modules_do_what_they_do_under_Wasmtime()
    {
        bool isLong = TestLength.IsLong;
        int? only = Environment.GetEnvironmentVariable("EVERHEAP_SEED") is { Length: > 0 } given ? int.Parse(given, CultureInfo.InvariantCulture) : null;
        int first = only ?? (isLong ? Random.Shared.Next(int.MaxValue / 2) : 1);
        int count = only is not null ? 1 : isLong ? LongModules : UsualModules;
        TestContext.Progress.WriteLine($"seeds {first} to {first + count - 1}; EVERHEAP_SEED repeats one");
        _startedAt = Environment.TickCount64;
        Thread thread = OnDeepStack(() => Run(first, count, only is not null));
        while (!thread.Join(TimeSpan.FromSeconds(1)))
        {
            Assert.That(
                Environment.TickCount64 - Volatile.Read(ref _startedAt), Is.LessThan(ModuleTimeMax.TotalMilliseconds), () => $"the module of seed {_seed} does not end");
        }

        Assert.That(_differences, Is.Empty);
    }

    [Test]
    public void A_difference_is_found_and_its_module_made_small()
    {
        ulong[] globals = [.. HostInterface.Globals.Select(global => global.Bits)];
        globals[0]++;
        string folder = Directory.CreateTempSubdirectory("everheap-random-modules").FullName;
        try
        {
            string? difference = null;
            using var comparison = new ModuleComparison(folder, globals);
            OnDeepStack(() =>
            {
                // Not every module can be instantiated.
                for (int seed = 1; difference is null; seed++)
                {
                    difference = comparison.DifferenceOf(seed, _ => [RunWays.All[0]]);
                }
            }).Join();

            Assert.That(difference, Does.Contain("expected \"observe: i32 0x4d\", found \"observe: i32 0x4e\""));
            Assert.That(difference, Does.Contain("calls: observe;"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static Thread OnDeepStack(Action action)
    {
        var thread = new Thread(() => action(), ThreadStackBytes) { IsBackground = true };
        thread.Start();
        return thread;
    }

    private void Run(int first, int count, bool inEveryWay)
    {
        string folder = Directory.CreateTempSubdirectory("everheap-random-modules").FullName;
        string seedFile = Path.Combine(TestContext.CurrentContext.WorkDirectory, "random-module-seed");
        try
        {
            using var comparison = new ModuleComparison(folder);
            for (int index = 0; index < count && _differences.Count == 0; index++)
            {
                _seed = first + index;
                Volatile.Write(ref _startedAt, Environment.TickCount64);
                File.WriteAllText(seedFile, _seed.ToString(CultureInfo.InvariantCulture));
                if (comparison.DifferenceOf(_seed, plan => inEveryWay ? RunWays.All : RunWays.For(_seed, plan)) is string difference)
                {
                    _differences.Add(difference);
                }

                if ((index + 1) % ProgressEvery == 0)
                {
                    TestContext.Progress.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{comparison.Summary}; {Environment.WorkingSet >> 20} MiB resident"));
                }
            }

            TestContext.Out.WriteLine(comparison.Summary);
        }
#pragma warning disable CA1031 // Whatever it is, it is reported with its seed.
        catch (Exception e)
#pragma warning restore CA1031
        {
            _differences.Add($"seed {_seed}: {e}");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
