using System.Text;
using Everheap.Engine;
using Everheap.Vm.Modules;
using Everheap.Vm.Tests.Guests;

namespace Everheap.Vm.Tests.Execution;

/// <summary>Several programs of one store in one process of the host: forks beside their origin, each with its own output, and programs that have nothing in common.</summary>
internal sealed class SeveralProcessesTests
{
    private static readonly string[] PrimesArguments = ["20", "20000000"];

    private static readonly string Samples = Path.Combine(GuestCatalog.RepositoryRoot, "samples");

    private ScratchFolder _folder = null!;
    private Module _primes = null!;
    private string _expected = "";

    private string HeapPath => _folder.File("test.heap");

    [SetUp]
    public void Load()
    {
        _folder = new ScratchFolder();
        _primes = Module.Load(Path.Combine(Samples, "primes.wasm"));
        _expected = File.ReadAllText(Path.Combine(Samples, "expected", "primes.medium.txt"));
    }

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    [Test]
    public async Task A_fork_runs_while_its_origin_goes_on_and_each_prints_exactly_its_own()
    {
        using HeapStore store = HeapStore.Create(HeapPath);
        using var originOutput = new MemoryStream();
        using Process origin = Process.Create(_primes, store, Options(originOutput, "origin", new RetentionPolicy { KeepLast = 1000 }));
        Task<ProcessOutcome> run = Task.Run(() => origin.Run());
        CheckpointInfo? point = null;
        try
        {
            point = await origin.CheckpointAsync();
        }
        catch (OperationCanceledException)
        {
            // The program was faster, and has ended: any of its checkpoints will do.
        }

        long number = point?.Number ?? store.History("origin")[^2].Number;
        store.Fork("origin", 1, "from the start");
        store.Fork("origin", number, "first");
        store.Fork("origin", number, "second");

        string[] names = ["from the start", "first", "second"];
        MemoryStream[] outputs = [.. names.Select(_ => new MemoryStream())];
        Task<ProcessOutcome>[] forks = [.. names.Zip(outputs, (name, output) => Task.Run(() =>
        {
            using Process fork = Process.Resume(store, Options(output, name));
            return fork.Run();
        }))];
        foreach (Task<ProcessOutcome> task in forks.Append(run))
        {
            Assert.That(await task, Is.EqualTo(new ProcessOutcome(ProcessState.Exited, 0, null)));
        }

        Assert.That(Text(originOutput), Is.EqualTo(_expected));
        Assert.That(Text(outputs[0]), Is.EqualTo(_expected));
        Assert.That(_expected, Does.EndWith(Text(outputs[1])));
        Assert.That(Text(outputs[2]), Is.EqualTo(Text(outputs[1])));
        Assert.That(store.Verify().Problems, Is.Empty);
    }

    [Test]
    public void A_program_that_is_taken_back_prints_the_same_from_there_as_a_fork()
    {
        using HeapStore store = HeapStore.Create(HeapPath);
        using (Process origin = Process.Create(_primes, store, Options(Stream.Null, "origin", new RetentionPolicy { KeepLast = 1000 })))
        {
            origin.Run();
        }

        IReadOnlyList<CheckpointInfo> history = store.History("origin");
        long middle = history[history.Count / 2].Number;
        store.Fork("origin", middle, "fork");
        store.Revert("origin", middle);
        Assert.That(Rest(store, "origin"), Is.EqualTo(Rest(store, "fork")));

        // And again, from the very start.
        store.Revert("origin", 1);
        Assert.That(Rest(store, "origin"), Is.EqualTo(_expected));
    }

    [Test]
    public void Programs_of_one_store_run_side_by_side_and_are_resumed_by_name()
    {
        using (HeapStore store = HeapStore.Create(HeapPath))
        {
            var lives = Enumerable.Range(0, 3).Select(i => Task.Run(() =>
            {
                using var suspend = new CancellationTokenSource();
                using Process process = Process.Create(_primes, store, Options(new MemoryStream(), $"program {i}"));
                suspend.Cancel();
                return process.Run(suspend.Token).State;
            })).ToArray();
            Assert.That(Task.WhenAll(lives).GetAwaiter().GetResult(), Is.All.EqualTo(ProcessState.Suspended));
            Assert.That(() => Process.Create(_primes, store, Options(Stream.Null, "program 1")), Throws.TypeOf<HeapException>().With.Message.Contains("'program 1' already"));
        }

        using var output = new MemoryStream();
        using (Process process = Process.Resume(HeapPath, Options(output, "program 1")))
        {
            Assert.That(process.Run().State, Is.EqualTo(ProcessState.Exited));
        }

        Assert.That(_expected, Does.EndWith(Text(output)));
        Assert.That(Process.Inspect(HeapPath, "program 1").State, Is.EqualTo(ProcessState.Exited));
        Assert.That(Process.Inspect(HeapPath, "program 2").State, Is.EqualTo(ProcessState.Suspended));
        Assert.That(() => Process.Resume(HeapPath, Options(Stream.Null, "nobody")), Throws.TypeOf<HeapFormatException>().With.Message.Contains("'nobody'"));
    }

    [Test]
    public void A_program_that_cannot_be_made_leaves_no_heap_in_a_store_that_others_use()
    {
        using HeapStore store = HeapStore.Create(HeapPath);
        using Process other = Process.Create(_primes, store, Options(Stream.Null, "other"));

        Assert.That(
            () => Process.Create(_primes, store, Options(Stream.Null, "bad", directories: [new DirectoryMapping(_folder.File("nowhere"), "/data")])),
            Throws.InstanceOf<IOException>());
        Assert.That(store.HeapNames, Is.EqualTo(new[] { "other" }));
        using Process again = Process.Create(_primes, store, Options(Stream.Null, "bad"));
        Assert.That(store.HeapNames, Is.EquivalentTo(new[] { "other", "bad" }));
    }

    [Test]
    public void Every_retained_checkpoint_can_be_looked_at()
    {
        using HeapStore store = HeapStore.Create(HeapPath);
        using (Process process = Process.Create(_primes, store, Options(Stream.Null, "primes", new RetentionPolicy { KeepLast = 1000 })))
        {
            process.Run();
        }

        foreach (CheckpointInfo checkpoint in store.History("primes"))
        {
            using HeapSnapshot snapshot = store.OpenSnapshot("primes", checkpoint.Number);
            ProcessInspection inspection = Process.Inspect(snapshot);
            bool isLast = checkpoint.Number == store.GetHeap("primes").LatestCheckpoint;
            Assert.That(inspection.State, Is.EqualTo(isLast ? ProcessState.Exited : ProcessState.Suspended));
            Assert.That(isLast || inspection.Backtrace[^1].FunctionName.StartsWith("_start", StringComparison.Ordinal), Is.True);
            Assert.That(inspection.CommandLine, Is.EqualTo((string[])["test", .. PrimesArguments]));
        }
    }

    private static string Rest(HeapStore store, string name)
    {
        using var output = new MemoryStream();
        using Process process = Process.Resume(store, Options(output, name));
        Assert.That(process.Run().State, Is.EqualTo(ProcessState.Exited));
        return Text(output);
    }

    private static string Text(MemoryStream stream) => Encoding.UTF8.GetString(stream.ToArray());

    private static ProcessOptions Options(Stream output, string heapName, RetentionPolicy? retention = null, IReadOnlyList<DirectoryMapping>? directories = null) => new()
    {
        HeapName = heapName,
        Retention = retention,
        ResidentBytes = 16 << 20,
        Arguments = PrimesArguments,
        ProgramName = "test",
        Directories = directories ?? [],
        StandardInput = Stream.Null,
        StandardOutput = output,
        StandardError = Stream.Null,
        CheckpointInterval = TimeSpan.FromMilliseconds(50),
    };
}
