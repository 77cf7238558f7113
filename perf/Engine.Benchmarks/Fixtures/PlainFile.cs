using Everheap.Measuring;
using Microsoft.Win32.SafeHandles;

namespace Everheap.Engine.Benchmarks.Fixtures;

/// <summary>The floor: the same bytes in a plain file, read and written positionally, flushed the same way.</summary>
internal sealed class PlainFile : IDisposable
{
    private readonly WorkFolder _folder = new();
    private readonly SafeFileHandle _handle;
    private readonly byte[] _page = new byte[HeapFixture.PageSize];

    /// <summary>Makes a file of so many pages of incompressible bytes, flushed: what is written to it later changes no length.</summary>
    public PlainFile(long pages)
    {
        Path = _folder.File("plain");
        _handle = File.OpenHandle(Path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, FileOptions.RandomAccess);
        Random random = new(1);
        for (long i = 0; i < pages; i++)
        {
            random.NextBytes(_page);
            RandomAccess.Write(_handle, _page, i * HeapFixture.PageSize);
        }

        RandomAccess.FlushToDisk(_handle);
    }

    public string Path { get; }

    public SafeFileHandle Handle => _handle;

    public byte ReadPage(long index) => ReadPage(index, _page);

    public byte ReadPage(long index, Span<byte> page)
    {
        RandomAccess.Read(_handle, page, index * HeapFixture.PageSize);
        return page[0];
    }

    public void WritePage(long index) => WritePage(index, _page);

    public void WritePage(long index, ReadOnlySpan<byte> page) => RandomAccess.Write(_handle, page, index * HeapFixture.PageSize);

    public void WriteAndFlush(long offset, ReadOnlySpan<byte> bytes)
    {
        RandomAccess.Write(_handle, bytes, offset);
        RandomAccess.FlushToDisk(_handle);
    }

    public void Dispose()
    {
        _handle.Dispose();
        _folder.Dispose();
    }
}
