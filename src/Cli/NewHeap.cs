using Everheap.Engine;
using Everheap.Vm;
using Everheap.Vm.Modules;

namespace Everheap.Cli;

/// <summary>
/// Makes the heap of a new program so that a file of that name is always one that can be resumed: it comes into being under another name,
/// and gets its own when its first checkpoint is durable. What a kill in between leaves is of no use to anyone, and is removed by the next start.
/// </summary>
internal static class NewHeap
{
    /// <summary>What the name ends in until the first checkpoint.</summary>
    private const string UnfinishedSuffix = ".new";

    /// <summary>Makes a process and its file.</summary>
    /// <param name="module">The program.</param>
    /// <param name="heapPath">The file; nothing may be there.</param>
    /// <param name="options">How to run it.</param>
    /// <returns>The program, ready to run.</returns>
    public static RunningProgram Create(Module module, string heapPath, ProcessOptions options)
    {
        string unfinishedPath = heapPath + UnfinishedSuffix;
        RemoveLeftover(unfinishedPath);
        HeapStore store = HeapStore.Create(unfinishedPath, new HeapStoreOptions { ResidentBytes = options.ResidentBytes, Logger = DiagnosticsLogger.For(options.Diagnostics) });
        Process? process = null;
        try
        {
            process = Process.Create(module, store, options);
            HeapFile.RequireFree(heapPath);

            // A rename in one step, so that a kill leaves the one name or the other. Its durability rides on the next checkpoint's flush of the file.
            File.Move(unfinishedPath, heapPath, overwrite: true);
            return new RunningProgram(store, process, heapPath, options.KeepFile);
        }
        catch
        {
            process?.Dispose();
            store.Dispose();
            File.Delete(unfinishedPath);
            throw;
        }
    }

    private static void RemoveLeftover(string path)
    {
        if (!File.Exists(path))
        {
            return;
        }

        try
        {
            using HeapStore store = HeapStore.Open(path, new HeapStoreOptions { ReadOnly = true });
        }
        catch (HeapLockedException exception)
        {
            throw new CommandException(ExitCode.File, exception.Message);
        }
        catch (HeapException)
        {
            // Killed before there was a root: no store yet.
        }

        File.Delete(path);
    }
}
