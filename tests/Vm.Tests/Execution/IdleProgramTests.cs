using System.Globalization;
using System.Text;
using Everheap.Engine;
using Everheap.Vm.Embedding;
using Everheap.Vm.Modules;
using Everheap.Vm.Tests.Guests;

namespace Everheap.Vm.Tests.Execution;

/// <summary>Many small programs in one process of the host, which do nothing: what they take is little, and they go on.</summary>
[Platform("Linux", Reason = "reads /proc/self")]
[NonParallelizable]
internal sealed class IdleProgramTests
{
    /// <summary>What any of them may take, in bytes: several times what it does, but less than a page of 2 MiB for nothing.</summary>
    private const long BytesMax = 1 << 20;

    private const string Input = "one\ntwo\n";
    private const string Expected = "standard input: 2 lines, 8 bytes\n";

    private readonly List<IDisposable> _opened = [];
    private ScratchFolder _folder = null!;
    private Module _hello = null!;

    [SetUp]
    public void Load()
    {
        _folder = new ScratchFolder();
        _hello = Module.Load(Path.Combine(GuestCatalog.RepositoryRoot, "samples", "hello.wasm"));
    }

    [TearDown]
    public void Close()
    {
        _opened.Reverse();
        _opened.ForEach(opened => opened.Dispose());
        _opened.Clear();
        _folder.Dispose();
    }

    [Test]
    public void Forks_that_are_not_run_take_little_and_go_on()
    {
        var store = Opened(HeapStore.Create(_folder.File("forks.heap")));
        using (var origin = Process.Create(_hello, store, Options("origin", Stream.Null, Stream.Null)))
        {
            Assert.That(origin.Run(new CancellationToken(canceled: true)).State, Is.EqualTo(ProcessState.Suspended));
        }

        long point = store.GetHeap("origin").LatestCheckpoint;
        var forks = new List<(Process Process, MemoryStream Output)>();
        AssertGrowth(200, () =>
        {
            string name = $"fork {forks.Count}";
            store.Fork("origin", point, name);
            var output = new MemoryStream();
            var process = Opened(Process.Resume(store, Options(name, new MemoryStream(Encoding.UTF8.GetBytes(Input)), output)));
            forks.Add((process, output));
        });

        foreach ((Process process, MemoryStream output) in forks)
        {
            Assert.That(process.Run(), Is.EqualTo(new ProcessOutcome(ProcessState.Exited, 0, null)));
            Assert.That(Encoding.UTF8.GetString(output.ToArray()), Is.EqualTo(Expected));
        }

        Assert.That(store.Verify().Problems, Is.Empty);
    }

    [Test]
    public void Programs_that_wait_for_input_take_little_and_go_on()
    {
        using var gate = new ManualResetEventSlim();
        var runs = new List<(Task<ProcessOutcome> Task, LateInput Input, MemoryStream Output)>();
        AssertGrowth(60, () =>
        {
            var input = new LateInput(Encoding.UTF8.GetBytes(Input), gate);
            var output = new MemoryStream();
            Process process = Opened(Process.Create(_hello, _folder.File($"{runs.Count}.heap"), Options(Process.HeapName, input, output)));
            Task<ProcessOutcome> run = Task.Factory.StartNew(() => process.Run(), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            Assert.That(input.IsAwaited.Wait(TimeSpan.FromMinutes(1)), Is.True, "the program reads its input");
            runs.Add((run, input, output));
        });

        gate.Set();
        foreach ((Task<ProcessOutcome> run, _, MemoryStream output) in runs)
        {
            Assert.That(run.GetAwaiter().GetResult(), Is.EqualTo(new ProcessOutcome(ProcessState.Exited, 0, null)));
            Assert.That(Encoding.UTF8.GetString(output.ToArray()), Is.EqualTo(Expected));
        }
    }

    [Test]
    public void Machines_take_little_and_go_on()
    {
        var linker = new Linker();
        linker.DefineWasi();
        var machines = new List<(Vm.Embedding.Instance Instance, MemoryStream Output)>();
        AssertGrowth(200, () =>
        {
            var output = new MemoryStream();
            var wasi = new WasiConfiguration { StandardInput = new MemoryStream(Encoding.UTF8.GetBytes(Input)), StandardOutput = output };
            Machine machine = Opened(Machine.CreateTransient(new MachineOptions { Wasi = wasi }));
            machines.Add((linker.Instantiate(machine, _hello), output));
        });

        foreach ((Vm.Embedding.Instance instance, MemoryStream output) in machines)
        {
            Assert.That(() => instance.GetAction("_start")!(), Throws.Nothing);
            Assert.That(Encoding.UTF8.GetString(output.ToArray()), Is.EqualTo(Expected));
        }
    }

    // The first few also pay for what all share: code of the host's, and of the module.
    private static void AssertGrowth(int count, Action makeOne)
    {
        const int First = 20;
        for (int index = 0; index < First; index++)
        {
            makeOne();
        }

        long before = ResidentBytes();
        for (int index = First; index < count; index++)
        {
            makeOne();
        }

        Assert.That(ResidentBytes() - before, Is.LessThan((count - First) * BytesMax));
    }

    private static long ResidentBytes()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        string pages = File.ReadAllText("/proc/self/statm").Split(' ')[1];
        return long.Parse(pages, CultureInfo.InvariantCulture) * System.Environment.SystemPageSize;
    }

    // What is shown at once needs no note: a store has room for few.
    private static ProcessOptions Options(string name, Stream input, Stream output) => new()
    {
        HeapName = name,
        StandardInput = input,
        StandardOutput = output,
        StandardError = Stream.Null,
        Output = OutputMode.Immediate,
        CheckpointInterval = TimeSpan.FromHours(1),
    };

    private T Opened<T>(T opened)
        where T : IDisposable
    {
        _opened.Add(opened);
        return opened;
    }

    /// <summary>Input that comes when a gate is opened.</summary>
    private sealed class LateInput(byte[] bytes, ManualResetEventSlim gate) : MemoryStream(bytes)
    {
        public ManualResetEventSlim IsAwaited { get; } = new();

        public override int Read(byte[] buffer, int offset, int count)
        {
            IsAwaited.Set();
            gate.Wait();
            return base.Read(buffer, offset, count);
        }

        protected override void Dispose(bool disposing)
        {
            gate.Set();
            IsAwaited.Dispose();
            base.Dispose(disposing);
        }
    }
}
