using System.Diagnostics;
using System.Runtime.InteropServices;
using Everheap.Engine.Storage;
using Microsoft.Win32.SafeHandles;

namespace Everheap.Engine.Tests.Storage;

/// <summary>What a file is told to have at hand comes into the system's cache.</summary>
[TestFixture]
internal sealed unsafe partial class FilePrefetchTests
{
    private const int Bytes = 48 << 20;
    private const int AdviseFileDontNeed = 4;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private static int Pages => Bytes / Environment.SystemPageSize;

    [Test]
    public void All_of_a_long_range_is_read()
    {
        Assume.That(Libc.IsAvailable, "only on Linux is a file told");
        using var folder = new TemporaryFolder();
        using var medium = FileMedium.Create(folder.File("long"));
        var bytes = new byte[Bytes];
        Random.Shared.NextBytes(bytes);
        medium.Resize(Bytes);
        medium.Write(0, bytes);
        medium.Flush();
        using var file = new SafeFileHandle(Libc.Open(folder.File("long"), Libc.OpenReadOnly | Libc.OpenCloseOnExec), ownsHandle: true);
        Assume.That(Libc.AdviseFile(file, 0, 0, AdviseFileDontNeed), Is.Zero);
        var view = Libc.Map(0, Bytes, Libc.ProtRead, Libc.MapPrivate, (int)file.DangerousGetHandle(), 0);
        try
        {
            Assume.That(CachedPages(view), Is.LessThan(Pages / 8), "the system keeps the file in its cache: its file system is in memory");
            medium.Prefetch(0, Bytes);
            for (var start = Stopwatch.GetTimestamp(); CachedPages(view) < Pages && Stopwatch.GetElapsedTime(start) < Patience; Thread.Sleep(1))
            {
            }

            Assert.That(CachedPages(view), Is.EqualTo(Pages));
        }
        finally
        {
            Assert.That(Libc.Unmap(view, Bytes), Is.Zero);
        }
    }

    private static int CachedPages(nint view)
    {
        var states = new byte[Pages];
        fixed (byte* first = states)
        {
            Assert.That(Residency(view, Bytes, first), Is.Zero);
        }

        return states.Count(state => (state & 1) != 0);
    }

    [LibraryImport("libc", EntryPoint = "mincore", SetLastError = true)]
    private static partial int Residency(nint address, nuint length, byte* states);
}
