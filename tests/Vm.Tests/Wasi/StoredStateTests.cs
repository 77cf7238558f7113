using System.Buffers.Binary;
using System.IO.Hashing;
using Everheap.Vm.Wasi;

namespace Everheap.Vm.Tests.Wasi;

/// <summary>What is read back from a heap is doubted: a clear error, never a crash, a hang or an unbounded allocation.</summary>
internal sealed class StoredStateTests
{
    private const int RootBytes = 88;
    private const int ChecksumOffset = 80;

    [Test]
    public void No_single_changed_byte_of_the_root_or_a_section_goes_unnoticed()
    {
        using var bed = new WasiBed();
        Prepare(bed);
        foreach (var (address, length) in Areas(bed))
        {
            for (ulong i = 0; i < length; i += Math.Max(1, length / 97))
            {
                byte[] kept = Read(bed, address + i, 1);
                bed.Heap.Write(address + i, [(byte)(kept[0] ^ 0x41)]);
                Assert.That(bed.ResumeAgain, Throws.TypeOf<InvalidDataException>(), $"byte {i} of {length} at {address:x}");
                bed.Heap.Write(address + i, kept);
            }
        }

        Assert.That(bed.ResumeAgain, Throws.Nothing);
    }

    [Test]
    public void Sections_that_are_nonsense_under_a_right_checksum_are_refused_or_harmless([Range(1, 4)] int seed)
    {
        using var bed = new WasiBed();
        Prepare(bed);
        var random = new Random(seed);
        byte[] root = Read(bed, bed.StateAddress, RootBytes);
        int refused = 0;
        for (int round = 0; round < 250; round++)
        {
            int entry = 16 + (32 * random.Next(2));
            ulong address = BinaryPrimitives.ReadUInt64LittleEndian(root.AsSpan(entry));
            int length = (int)BinaryPrimitives.ReadUInt64LittleEndian(root.AsSpan(entry + 16));
            byte[] kept = Read(bed, address, length);
            byte[] damaged = [.. kept];
            for (int i = random.Next(1, 4); i > 0; i--)
            {
                damaged[random.Next(length)] = random.Next(3) switch { 0 => 0, 1 => 0xFF, _ => (byte)random.Next(256) };
            }

            int cut = random.Next(4) == 0 ? random.Next(length) : length;
            bed.Heap.Write(address, damaged);
            WriteRoot(bed, root, entry, damaged.AsSpan(0, cut));
            try
            {
                bed.ResumeAgain();
            }
            catch (Exception error) when (error is InvalidDataException or IOException)
            {
                refused++;
            }

            bed.Heap.Write(address, kept);
        }

        bed.Heap.Write(bed.StateAddress, root);
        Assert.That(refused, Is.GreaterThan(50));
        Assert.That(bed.ResumeAgain, Throws.Nothing);
    }

    [Test]
    public void A_heap_without_the_state_and_one_of_another_version_say_so()
    {
        using var bed = new WasiBed();
        Prepare(bed);
        byte[] root = Read(bed, bed.StateAddress, RootBytes);
        bed.Heap.Write(bed.StateAddress + 8, [99]);
        Assert.That(bed.ResumeAgain, Throws.TypeOf<InvalidDataException>().With.Message.Contains("version 99"));
        bed.Heap.Write(bed.StateAddress, new byte[RootBytes]);
        Assert.That(bed.ResumeAgain, Throws.TypeOf<InvalidDataException>().With.Message.Contains("no stored system state"));
        bed.Heap.Write(bed.StateAddress, root);
    }

    private static void Prepare(WasiBed bed)
    {
        string host = bed.MakeFolder("host");
        File.WriteAllText(Path.Combine(host, "f"), "host");
        bed.Options = new WasiOptions
        {
            Arguments = ["one", "two"],
            Environment = [new("A", "B")],
            Directories = [new DirectoryMapping(host, "/data")],
        };
        bed.Start();
        bed.OnPath("path_create_directory", "d");
        bed.WriteFile("d/x", "some text");
        bed.Symlink("d/x", "link");
        bed.OnPath("path_unlink_file", "f");
        uint directory = bed.Open(".", OpenFlags.Directory, Rights.Directory);
        bed.List(directory, 60, 0, out _, callsMax: 1);
        bed.Open("d/x");
        bed.Write(1, "output that is owed");
        bed.CommitOnly();
    }

    private static List<(ulong Address, ulong Length)> Areas(WasiBed bed)
    {
        byte[] root = Read(bed, bed.StateAddress, RootBytes);
        var areas = new List<(ulong, ulong)> { (bed.StateAddress, RootBytes) };
        foreach (int entry in (int[])[16, 48])
        {
            areas.Add((BinaryPrimitives.ReadUInt64LittleEndian(root.AsSpan(entry)), BinaryPrimitives.ReadUInt64LittleEndian(root.AsSpan(entry + 16))));
        }

        return areas;
    }

    private static void WriteRoot(WasiBed bed, byte[] root, int entry, ReadOnlySpan<byte> section)
    {
        byte[] changed = [.. root];
        BinaryPrimitives.WriteUInt64LittleEndian(changed.AsSpan(entry + 16), (ulong)section.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(changed.AsSpan(entry + 24), XxHash3.HashToUInt64(section));
        BinaryPrimitives.WriteUInt64LittleEndian(changed.AsSpan(ChecksumOffset), XxHash3.HashToUInt64(changed.AsSpan(0, ChecksumOffset)));
        bed.Heap.Write(bed.StateAddress, changed);
    }

    private static byte[] Read(WasiBed bed, ulong address, int length)
    {
        byte[] bytes = new byte[length];
        bed.Heap.Read(address, bytes);
        return bytes;
    }
}
