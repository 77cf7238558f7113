using Everheap.Cli;
using Everheap.Engine;
using Everheap.Vm.Embedding;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Benchmarks.Children;

/// <summary>How Everheap runs a program that is measured.</summary>
internal enum EverheapMode
{
    /// <summary>With everything at its default: a heap file, a resident budget of 128 MiB, a checkpoint every second, output released with the checkpoints.</summary>
    Durable,

    /// <summary>The same, with the memory by pages though it fits.</summary>
    Paged,

    /// <summary>Without what the heap costs: no file, no checkpoints but the first and the last, stores that leave no marks, output at once. Bounds checks and safepoints stay.</summary>
    Plain,
}

/// <summary>What idle instances are made as.</summary>
internal enum InstanceKind
{
    /// <summary>Programs, each in a file of its own.</summary>
    Files,

    /// <summary>Forks of one program, in one file.</summary>
    Forks,

    /// <summary>Machines of a host app, with an instance each.</summary>
    Machines,
}

/// <summary>Runs one program under Everheap.</summary>
internal static class EverheapChild
{
    // Half of it is the largest memory that lies in one piece.
    private const long PlainResidentBytes = 8L << 30;

    public static int Run(ChildCommand command, EverheapMode mode)
    {
        CodeCache? cache = command.CachePath is { } path ? new CodeCache(path) : null;
        Module module = Module.Load(command.ModulePath, cache);
        if (command.Instances > 0)
        {
            return MakeInstances(module, command);
        }

        ProcessOptions options = OptionsOf(command, mode) with { CodeCache = cache };
        using HeapStore store = mode == EverheapMode.Plain
            ? HeapStore.Create(new MemoryMedium(), new HeapStoreOptions { ResidentBytes = options.ResidentBytes })
            : HeapStore.Create(Path.Combine(command.Folder, "program.heap"), new HeapStoreOptions { ResidentBytes = options.ResidentBytes });
        using Process process = Process.Create(module, store, options);
        using var report = new ChildReport();
        ProcessOutcome outcome = process.Run();
        if (outcome.State == ProcessState.Exited)
        {
            return outcome.ExitCode;
        }

        Console.Error.WriteLine($"the program ended as {outcome.State}: {outcome.Trap?.Reason}");
        return 1;
    }

    private static ProcessOptions OptionsOf(ChildCommand command, EverheapMode mode)
    {
        var options = new ProcessOptions
        {
            ProgramName = Path.GetFileName(command.ModulePath),
            Arguments = command.Arguments,
            Directories = command.Directories,
            Output = command.ShowsOutputAtOnce || mode == EverheapMode.Plain ? OutputMode.Immediate : OutputMode.Committed,
            MemoryAddressing = mode == EverheapMode.Paged ? MemoryAddressing.Paged : MemoryAddressing.Automatic,
        };
        return mode != EverheapMode.Plain
            ? options
            : options with
            {
                ResidentBytes = PlainResidentBytes,
                CheckpointDirtyBytes = PlainResidentBytes,
                CheckpointInterval = TimeSpan.FromDays(1),
                LeavesStoresUnmarked = true,
            };
    }

    // Programs have run their first instructions, and wait, captured, for going on.
    private static int MakeInstances(Module module, ChildCommand command)
    {
        var opened = new Stack<IDisposable>();
        try
        {
            Action<int> make = MakerOf(command.InstanceKind, module, command.Folder, opened.Push);
            for (int index = 0; index < command.Instances; index++)
            {
                make(index);
            }

            ChildReport.WriteInstances();
            return 0;
        }
        finally
        {
            while (opened.TryPop(out IDisposable? last))
            {
                last.Dispose();
            }
        }
    }

    private static Action<int> MakerOf(InstanceKind kind, Module module, string folder, Action<IDisposable> keep)
    {
        switch (kind)
        {
            case InstanceKind.Forks:
                var store = HeapStore.Create(Path.Combine(folder, "forks.heap"));
                keep(store);
                using (var origin = Process.Create(module, store, IdleOptions("origin")))
                {
                    Suspend(origin);
                }

                long point = store.GetHeap("origin").LatestCheckpoint;
                return index =>
                {
                    store.Fork("origin", point, $"fork {index}");
                    var process = Process.Resume(store, IdleOptions($"fork {index}"));
                    keep(process);
                    Suspend(process);
                };

            case InstanceKind.Machines:
                var linker = new Linker();
                linker.DefineWasi();
                return _ =>
                {
                    var machine = Machine.CreateTransient(new MachineOptions { Wasi = new WasiConfiguration() });
                    keep(machine);
                    linker.Instantiate(machine, module);
                };

            default:
                return index =>
                {
                    var process = Process.Create(module, Path.Combine(folder, $"{index}.heap"), IdleOptions(Process.HeapName));
                    keep(process);
                    Suspend(process);
                };
        }
    }

    private static ProcessOptions IdleOptions(string heapName) => new()
    {
        HeapName = heapName,
        StandardInput = Stream.Null,
        StandardOutput = Stream.Null,
        StandardError = Stream.Null,
    };

    private static void Suspend(Process process)
    {
        if (process.Run(new CancellationToken(canceled: true)).State != ProcessState.Suspended)
        {
            throw new InvalidOperationException("an instance has ended, and so is not idle");
        }
    }
}
