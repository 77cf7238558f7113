using System.Globalization;
using Everheap.Cli.Addressing;
using Everheap.Engine;
using Everheap.Vm;

namespace Everheap.Cli;

/// <summary>What the commands say about heap files, in one place.</summary>
internal static class HeapFile
{
    /// <summary>The extension of heap files.</summary>
    public const string Extension = ".heap";

    /// <summary>The path of the heap file that <c>run</c> uses by itself: the module's name, in the current folder.</summary>
    /// <param name="modulePath">The module file.</param>
    /// <returns>A relative path.</returns>
    public static string DefaultFor(string modulePath) => Path.GetFileNameWithoutExtension(modulePath) + Extension;

    /// <summary>Refuses a path at which there is no file.</summary>
    /// <param name="path">What the user gave.</param>
    /// <exception cref="CommandException">There is no such file.</exception>
    public static void RequireExisting(string path)
    {
        if (!File.Exists(path))
        {
            throw new CommandException(
                ExitCode.File,
                Directory.Exists(path)
                    ? $"{path} is a folder; give the path of a heap file"
                    : $"no such file: {path}; give the path of a heap file ('everheap run' leaves NAME{Extension} in the current folder)");
        }
    }

    /// <summary>Refuses to start a program where a file is in the way, and says what that file is.</summary>
    /// <param name="path">Where the heap is to be.</param>
    /// <exception cref="CommandException">There is something already.</exception>
    public static void RequireFree(string path)
    {
        if (Directory.Exists(path))
        {
            throw new CommandException(ExitCode.File, $"{path} is a folder; name a file with --heap");
        }

        if (!File.Exists(path))
        {
            return;
        }

        ProcessInspection inspection;
        try
        {
            using HeapStore store = HeapStore.Open(path, new HeapStoreOptions { ReadOnly = true });
            using HeapSnapshot snapshot = store.OpenSnapshot(HeapChoice.Choose(store, null));
            inspection = Process.Inspect(snapshot);
        }
        catch (HeapLockedException exception)
        {
            throw new CommandException(ExitCode.File, exception.Message);
        }
        catch (Exception exception) when (exception is HeapException or IOException or CommandException)
        {
            throw new CommandException(ExitCode.File, $"{path} is in the way and cannot be resumed ({exception.Message}); move it away, or name another file with --heap");
        }

        string what = inspection.State switch
        {
            ProcessState.Exited => $"{path} holds a program that has ended (exit code {inspection.ExitCode}); delete it, or name another file with --heap",
            ProcessState.Trapped => $"{path} holds a program that has trapped; see 'everheap stack {path}', then delete it, or name another file with --heap",
            _ => $"{path} holds an unfinished run of {inspection.CommandLine[0]}; go on with 'everheap resume {path}', or delete it to start again",
        };
        throw new CommandException(ExitCode.File, what);
    }

    /// <summary>Opens a heap file for reading: together with other readers or, if a process writes it, past that process's lock.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The store.</returns>
    /// <exception cref="CommandException">There is no such file.</exception>
    public static HeapStore OpenForReading(string path) => OpenForReading(path, new HeapStoreOptions { ReadOnly = true }, out _);

    /// <summary>Opens a heap file for reading: together with other readers or, if a process writes it, past that process's lock.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">How; for reading only.</param>
    /// <param name="isBeingWritten">Whether a process writes it: that may go on from what is read.</param>
    /// <returns>The store.</returns>
    /// <exception cref="CommandException">There is no such file.</exception>
    public static HeapStore OpenForReading(string path, HeapStoreOptions options, out bool isBeingWritten)
    {
        RequireExisting(path);
        HeapStore store;
        try
        {
            store = HeapStore.Open(path, options);
        }
        catch (HeapLockedException)
        {
            isBeingWritten = true;
            return HeapStore.OpenShared(path, options);
        }

        isBeingWritten = false;
        ReportSkippedRoots(path, store);
        return store;
    }

    /// <summary>Opens a heap file to change what it keeps.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The store.</returns>
    /// <exception cref="CommandException">There is no such file.</exception>
    public static HeapStore OpenForWriting(string path)
    {
        RequireExisting(path);

        // What was dropped is reclaimed before the command ends, or by later commits; nothing is done behind its back.
        return HeapStore.Open(path, new HeapStoreOptions { BackgroundReclaim = false, Logger = DiagnosticsLogger.For(Failure.Line) });
    }

    /// <summary>Tells of roots that were refused when the store was opened: the one before them was used instead.</summary>
    /// <param name="path">The file.</param>
    /// <param name="store">The open store.</param>
    public static void ReportSkippedRoots(string path, HeapStore store)
    {
        foreach (SkippedRoot skipped in store.SkippedRoots)
        {
            Failure.Line(string.Create(CultureInfo.InvariantCulture, $"{path}: skipped root {skipped.Slot} at file offset {skipped.FileOffset}: {skipped.Reason}"));
        }
    }
}
