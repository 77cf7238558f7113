using System.Text;
using Everheap.Engine;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Tests.Execution;

/// <summary>A process's life by its public face: run, checkpoint, suspend, resume, trap, end.</summary>
internal sealed class ProcessTests
{
    private string _folder = "";

    private string HeapPath => Path.Combine(_folder, "test.heap");

    private static string Repository
    {
        get
        {
            string? folder = TestContext.CurrentContext.TestDirectory;
            while (folder is not null && !File.Exists(Path.Combine(folder, "Everheap.slnx")))
            {
                folder = Path.GetDirectoryName(folder);
            }

            return folder ?? throw new DirectoryNotFoundException("no Everheap.slnx above the tests");
        }
    }

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("everheap-process").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void A_program_that_is_suspended_and_resumed_many_times_prints_what_it_would_have_printed()
    {
        string expected = File.ReadAllText(Path.Combine(Repository, "samples", "expected", "primes.small.txt"));
        Module module = Module.Load(Path.Combine(Repository, "samples", "primes.wasm"));
        using var output = new MemoryStream();
        int suspensions = 0;
        Process process = Process.Create(module, HeapPath, Options(output, ["20", "400000"]));
        while (true)
        {
            ProcessOutcome outcome;
            using (process)
            using (var suspend = new CancellationTokenSource())
            {
                // Every run makes some progress: the request is answered at a safepoint after the one where the last run stopped.
                suspend.CancelAfter(TimeSpan.FromMilliseconds(suspensions < 5 ? 20 : Timeout.Infinite));
                outcome = process.Run(suspend.Token);
            }

            if (outcome.State != ProcessState.Suspended)
            {
                Assert.That(outcome, Is.EqualTo(new ProcessOutcome(ProcessState.Exited, 0, null)));
                break;
            }

            suspensions++;
            process = Process.Resume(HeapPath, Options(output, []));
        }

        Assert.That(Encoding.UTF8.GetString(output.ToArray()), Is.EqualTo(expected));
    }

    [Test]
    public async Task A_checkpoint_on_request_is_durable_when_it_is_answered()
    {
        Module endless = TinyModule.Of(("_start", [0, 0x10, 1, 0x0B]), ("spin", [0, 0x03, 0x40, 0x0C, 0, 0x0B, 0x0B]));
        using var suspend = new CancellationTokenSource();
        using (Process process = Process.Create(endless, HeapPath, Options(Stream.Null, [])))
        {
            Task<ProcessOutcome> run = Task.Run(() => process.Run(suspend.Token));
            CheckpointInfo first = await process.CheckpointAsync();
            CheckpointInfo second = await process.CheckpointAsync();
            Assert.That(second.Number, Is.GreaterThan(first.Number));
            await suspend.CancelAsync();
            Assert.That((await run).State, Is.EqualTo(ProcessState.Suspended));
        }

        ProcessInspection inspection = Process.Inspect(HeapPath);
        Assert.That(inspection.State, Is.EqualTo(ProcessState.Suspended));
        Assert.That(inspection.Backtrace.Select(frame => frame.FunctionName), Is.EqualTo(new[] { "spin", "_start" }));
    }

    [Test]
    public void A_trap_names_its_reason_and_every_caller()
    {
        Module module = TinyModule.Of(("_start", [0, 0x10, 1, 0x0B]), ("middle", [0, 0x10, 2, 0x0B]), ("fail", [0, 0x00, 0x0B]));
        using (Process process = Process.Create(module, HeapPath, Options(Stream.Null, [])))
        {
            ProcessOutcome outcome = process.Run();
            Assert.That(outcome.State, Is.EqualTo(ProcessState.Trapped));
            Assert.That(outcome.Trap!.Reason, Is.EqualTo("unreachable"));
            Assert.That(outcome.Trap.Backtrace.Select(frame => frame.FunctionName), Is.EqualTo(new[] { "fail", "middle", "_start" }));
        }

        // The file says the same afterwards, and resuming it says it again.
        Assert.That(Process.Inspect(HeapPath).Trap!.Reason, Is.EqualTo("unreachable"));
        using Process again = Process.Resume(HeapPath, Options(Stream.Null, []));
        Assert.That(again.Run().Trap!.Backtrace, Has.Count.EqualTo(3));
    }

    [Test]
    public void An_access_beyond_the_memory_traps_in_a_page_that_has_no_entry()
    {
        // i32.const 65536, i32.load offset=0, drop
        Module module = TinyModule.Of(("_start", [0, 0x41, 0x80, 0x80, 0x04, 0x28, 2, 0, 0x1A, 0x0B]));
        using Process process = Process.Create(module, HeapPath, Options(Stream.Null, []));
        Assert.That(process.Run().Trap!.Reason, Is.EqualTo("out of bounds memory access"));
    }

    [Test]
    public void Endless_recursion_ends_in_a_trap()
    {
        Module module = TinyModule.Of(("_start", [0, 0x10, 0, 0x0B]));
        using Process process = Process.Create(module, HeapPath, Options(Stream.Null, []));
        ProcessOutcome outcome = process.Run();
        Assert.That(outcome.Trap!.Reason, Is.EqualTo("call stack exhausted"));
        Assert.That(outcome.Trap.Backtrace, Has.Count.EqualTo(TrapInfo.BacktraceFramesMax));
    }

    [Test]
    public void A_module_without_a_start_is_no_program_and_leaves_no_file()
    {
        Module module = Module.Decode(new byte[] { 0, 0x61, 0x73, 0x6D, 1, 0, 0, 0 });
        Assert.That(() => Process.Create(module, HeapPath, Options(Stream.Null, [])), Throws.TypeOf<LinkException>().With.Message.Contains("_start"));
        Assert.That(HeapPath, Does.Not.Exist);
    }

    [Test]
    public void A_heap_without_a_program_is_refused_by_name()
    {
        using (HeapStore store = HeapStore.Create(HeapPath))
        using (PersistentHeap heap = store.CreateHeap("ledger"))
        {
            heap.Checkpoint();
        }

        Assert.That(
            () => Process.Resume(HeapPath, Options(Stream.Null, [])),
            Throws.TypeOf<HeapFormatException>().With.Message.Contains("holds no program"));
    }

    private static ProcessOptions Options(Stream output, string[] arguments) => new()
    {
        ResidentBytes = 16 << 20,
        Arguments = arguments,
        ProgramName = "test",
        StandardInput = Stream.Null,
        StandardOutput = output,
        StandardError = Stream.Null,
        CheckpointInterval = TimeSpan.FromMilliseconds(50),
    };
}
