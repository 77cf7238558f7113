using Everheap.Cli.Torture.Workers;
using Everheap.Engine;
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

/// <summary>Runs one program under Everheap.</summary>
internal static class EverheapChild
{
    // Half of it is the largest memory that lies in one piece.
    private const long PlainResidentBytes = 8L << 30;

    public static int Run(ChildCommand command, EverheapMode mode)
    {
        Module module = Module.Load(command.ModulePath);
        if (command.Instances > 0)
        {
            return MakeInstances(module, command);
        }

        ProcessOptions options = OptionsOf(command, mode);
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

    // Each has run its first instructions, and waits, captured, for going on. Each has a file of its own.
    private static int MakeInstances(Module module, ChildCommand command)
    {
        var processes = new List<Process>();
        try
        {
            for (int index = 0; index < command.Instances; index++)
            {
                var process = Process.Create(module, Path.Combine(command.Folder, $"{index}.heap"), new ProcessOptions
                {
                    StandardInput = Stream.Null,
                    StandardOutput = Stream.Null,
                    StandardError = Stream.Null,
                });
                processes.Add(process);
                if (process.Run(new CancellationToken(canceled: true)).State != ProcessState.Suspended)
                {
                    throw new InvalidOperationException($"instance {index} has ended, and so is not idle");
                }
            }

            ChildReport.WriteInstances();
            return 0;
        }
        finally
        {
            processes.ForEach(process => process.Dispose());
        }
    }
}
