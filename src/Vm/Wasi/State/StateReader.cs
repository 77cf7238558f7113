using System.Buffers.Binary;
using System.Text;
using Everheap.Engine;

namespace Everheap.Vm.Wasi.State;

/// <summary>Reads what <see cref="StateWriter"/> wrote. Everything is checked: doubt is an <see cref="InvalidDataException"/>.</summary>
/// <param name="bytes">The section.</param>
/// <param name="section">Its name, for errors.</param>
internal ref struct StateReader(ReadOnlySpan<byte> bytes, string section)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private readonly string _section = section;
    private int _position;

    /// <summary>An error that names the place.</summary>
    /// <param name="what">What is wrong.</param>
    /// <returns>The exception to throw.</returns>
    public readonly InvalidDataException Fault(string what) =>
        new($"The stored {_section} of the program cannot be used: {what} at byte {_position} of {_bytes.Length}.");

    public byte Byte() => Take(1)[0];

    public bool Bool() => Byte() switch
    {
        0 => false,
        1 => true,
        var other => throw Fault($"{other} is neither true nor false"),
    };

    public uint U32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    public ulong U64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    public long I64() => (long)U64();

    /// <summary>A length or count.</summary>
    /// <param name="max">The largest that is possible.</param>
    /// <param name="bytesEach">The fewest bytes that each of the counted things takes, so that a wrong count is found before memory is taken for it.</param>
    /// <returns>The count.</returns>
    public int Count(int max, int bytesEach = 1)
    {
        uint count = U32();
        if (count > (uint)max || (long)count * bytesEach > _bytes.Length - _position)
        {
            throw Fault($"a count of {count} is too large");
        }

        return (int)count;
    }

    public ReadOnlySpan<byte> Bytes(int max) => Take(Count(max));

    public string String(int max) => Encoding.UTF8.GetString(Bytes(max));

    /// <summary>The address of a range in the heap.</summary>
    /// <param name="length">The range's length, for which a heap has room.</param>
    /// <returns>The address.</returns>
    public ulong Address(ulong length)
    {
        ulong address = U64();
        return address <= PersistentHeap.AddressEnd && length <= PersistentHeap.AddressEnd - address
            ? address
            : throw Fault($"{length} bytes at address 0x{address:x} are not in a heap");
    }

    /// <summary>A name in a directory: one component of a path, and not a way out of it.</summary>
    /// <returns>The name.</returns>
    public string Name()
    {
        string name = String(WasiLimits.PathBytesMax);
        return IsComponent(name) ? name : throw Fault("a file name is impossible");
    }

    /// <summary>A path below a host directory: names, with '/' between them; or nothing.</summary>
    /// <returns>The path.</returns>
    public string RelativePath()
    {
        string path = String(WasiLimits.PathBytesMax * 4);
        return path.Length == 0 || Array.TrueForAll(path.Split('/'), IsComponent) ? path : throw Fault("a path on the host is impossible");
    }

    private static bool IsComponent(string name) => name is not ("" or "." or "..") && name.AsSpan().IndexOfAny('/', '\0') < 0;

    /// <summary>Checks that nothing is left over.</summary>
    public readonly void End()
    {
        if (_position != _bytes.Length)
        {
            throw Fault("something follows the end");
        }
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _bytes.Length - _position)
        {
            throw Fault($"{count} bytes are missing");
        }

        var taken = _bytes.Slice(_position, count);
        _position += count;
        return taken;
    }
}
