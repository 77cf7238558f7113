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
    /// <returns>The process, ready to run.</returns>
    public static Process Create(Module module, string heapPath, ProcessOptions options)
    {
        string unfinishedPath = heapPath + UnfinishedSuffix;
        RemoveLeftover(unfinishedPath);
        Process process = Process.Create(module, unfinishedPath, options);
        try
        {
            HeapFile.RequireFree(heapPath);

            // A rename in one step, so that a kill leaves the one name or the other. Its durability rides on the next checkpoint's flush of the file.
            File.Move(unfinishedPath, heapPath, overwrite: true);
        }
        catch
        {
            process.Dispose();
            File.Delete(unfinishedPath);
            throw;
        }

        return process;
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
