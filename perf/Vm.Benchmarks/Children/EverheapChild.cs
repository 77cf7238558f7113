using Everheap.Vm.Benchmarks.Programs;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Benchmarks.Children;

/// <summary>
/// Runs one program as a durable Everheap process with everything at its default: resident budget of 128 MiB, a
/// checkpoint every second, output released with the checkpoints; and the memory by pages though it fits, where that is asked for. The heap file lies on the disk of the repository.
/// </summary>
internal static class EverheapChild
{
    public static int Run(string modulePath, IReadOnlyList<string> arguments, MemoryAddressing addressing)
    {
        string folder = Path.Combine(ProgramSet.RepositoryRoot, "artifacts", "bench");
        Directory.CreateDirectory(folder);
        string heapPath = Path.Combine(folder, $"{Path.GetFileNameWithoutExtension(modulePath)}.{Environment.ProcessId}.heap");
        try
        {
            return RunIn(heapPath, modulePath, arguments, addressing);
        }
        finally
        {
            File.Delete(heapPath);
        }
    }

    private static int RunIn(string heapPath, string modulePath, IReadOnlyList<string> arguments, MemoryAddressing addressing)
    {
        Module module = Module.Load(modulePath);
        using Process process = Process.Create(module, heapPath, new ProcessOptions
        {
            ProgramName = Path.GetFileName(modulePath),
            Arguments = arguments,
            MemoryAddressing = addressing,
        });
        using var report = new ChildReport();
        ProcessOutcome outcome = process.Run();
        if (outcome.State == ProcessState.Exited)
        {
            return outcome.ExitCode;
        }

        Console.Error.WriteLine($"the program ended as {outcome.State}: {outcome.Trap?.Reason}");
        return 1;
    }
}
