using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Everheap.Engine.Benchmarks.Fixtures;

/// <summary>The system's page cache, as far as a benchmark can say what is in it.</summary>
internal static partial class PageCache
{
    private const int AdviseDontNeed = 4;
    private const int OpenReadOnly = 0;

    /// <summary>Whether <see cref="Drop"/> and <see cref="BytesReadFromDevices"/> are there.</summary>
    public static bool IsControllable => OperatingSystem.IsLinux() && File.Exists("/proc/self/io");

    /// <summary>Asks the system to forget a file's pages. What is dirty, or mapped by a process, stays.</summary>
    public static void Drop(string path)
    {
        if (!IsControllable)
        {
            return;
        }

        int descriptor = Open(path, OpenReadOnly);
        if (descriptor < 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError(), path);
        }

        _ = Sync(descriptor);
        _ = Advise(descriptor, 0, 0, AdviseDontNeed);
        _ = Close(descriptor);
    }

    /// <summary>Drops every file below a folder.</summary>
    public static void DropFolder(string folder)
    {
        foreach (string path in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            Drop(path);
        }
    }

    /// <summary>What this process has made devices read: the proof that a page was not cached.</summary>
    public static long BytesReadFromDevices()
    {
        const string Field = "read_bytes: ";
        string line = File.ReadLines("/proc/self/io").First(line => line.StartsWith(Field, StringComparison.Ordinal));
        return long.Parse(line[Field.Length..], CultureInfo.InvariantCulture);
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fdatasync")]
    private static partial int Sync(int descriptor);

    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    private static partial int Advise(int descriptor, long offset, long length, int advice);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
