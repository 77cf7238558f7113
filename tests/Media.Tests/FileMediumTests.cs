using Everheap.Engine.Storage;
using Everheap.Media.Tests.Volumes;

namespace Everheap.Media.Tests;

/// <summary>What the store asks of a medium, asked of real files on real file systems.</summary>
[TestFixture]
internal sealed class FileMediumTests
{
    private const long Mebibyte = 1L << 20;
    private const int Tolerance = 1 << 20;

    /// <summary>Btrfs does reserve, but when it is full to the last byte it has no room for noting that something was written.</summary>
    private static readonly VolumeKind[] Reserving = [VolumeKind.Ext4, VolumeKind.Xfs, VolumeKind.Tmpfs];

    /// <summary>Also those that cannot reserve, but cannot have holes in a file either.</summary>
    private static readonly VolumeKind[] Counting = [.. Reserving, VolumeKind.Btrfs, VolumeKind.Vfat, VolumeKind.Exfat];

    [TestCaseSource(nameof(Counting))]
    public void Growth_that_does_not_fit_changes_nothing(VolumeKind kind)
    {
        using Volume volume = Volume.Mount(kind);
        string path = volume["medium"];
        using FileMedium medium = FileMedium.Create(path);
        medium.Resize(Mebibyte);
        volume.FillUp(leave: 8 * Mebibyte);
        long free = volume.FreeBytes;
        MediumFullException full = Assert.Throws<MediumFullException>(() => medium.Resize(free + (16 * Mebibyte)))!;
        Assert.Multiple(() =>
        {
            Assert.That(full.Message, Does.Contain(path));
            Assert.That(medium.Length, Is.EqualTo(Mebibyte));
            Assert.That(new FileInfo(path).Length, Is.EqualTo(Mebibyte));
            Assert.That(volume.FreeBytes, Is.EqualTo(free).Within(Tolerance), "what was reserved before there was no more is free again");
        });
        medium.Resize(2 * Mebibyte);
        AssertWritable(medium, Mebibyte, (int)Mebibyte);
    }

    [TestCaseSource(nameof(Reserving))]
    public void What_was_reserved_can_be_written_when_the_disk_is_full(VolumeKind kind)
    {
        using Volume volume = Volume.Mount(kind);
        using FileMedium medium = FileMedium.Create(volume["medium"]);
        medium.Resize(4 * Mebibyte);
        medium.Flush();
        volume.FillUp(leave: 0);
        Assert.Throws<MediumFullException>(() => medium.Resize(12 * Mebibyte));
        AssertWritable(medium, 0, (int)(4 * Mebibyte));
    }

    [Test]
    public void Where_nothing_can_be_reserved_a_full_disk_shows_at_the_write()
    {
        using Volume volume = Volume.Mount(VolumeKind.Ext3);
        using FileMedium medium = FileMedium.Create(volume["medium"]);
        volume.FillUp(leave: 2 * Mebibyte);
        medium.Resize(16 * Mebibyte);
        MediumFullException full = Assert.Throws<MediumFullException>(() =>
        {
            for (long at = 0; at < medium.Length; at += Mebibyte)
            {
                medium.Write(at, new byte[Mebibyte]);
            }
        })!;
        Assert.That(full.Message, Does.Contain(medium.Name));
        Assert.That(medium.Length, Is.EqualTo(16 * Mebibyte));
        volume.MakeRoom();
        AssertWritable(medium, 0, (int)(16 * Mebibyte));
    }

    [Test]
    public void Cutting_gives_room_back_and_what_is_cut_off_reads_as_zero_when_it_grows_again([Values] VolumeKind kind)
    {
        using Volume volume = Volume.Mount(kind);
        using FileMedium medium = FileMedium.Create(volume["medium"]);
        medium.Resize(24 * Mebibyte);
        AssertWritable(medium, 0, (int)(24 * Mebibyte));
        long free = volume.FreeBytes;
        medium.Resize((4 * Mebibyte) + 4096);
        medium.Flush();
        Assert.That(medium.Length, Is.EqualTo((4 * Mebibyte) + 4096));
        long freed = volume.FreeBytes - free;
        Assert.That(freed, kind == VolumeKind.Btrfs ? Is.GreaterThan(10 * Mebibyte) : Is.EqualTo(20 * Mebibyte).Within(Tolerance));
        Assert.Throws<EndOfStreamException>(() => medium.Read(4 * Mebibyte, new byte[8192]));
        medium.Resize(6 * Mebibyte);
        byte[] grown = new byte[(2 * Mebibyte) - 4096];
        medium.Read((4 * Mebibyte) + 4096, grown);
        Assert.That(grown.AsSpan().IndexOfAnyExcept((byte)0), Is.EqualTo(-1));
    }

    [Test]
    public void Something_that_cuts_the_file_short_is_an_exception_of_the_read()
    {
        using MediaFolder folder = new();
        using FileMedium medium = FileMedium.Create(folder["medium"]);
        medium.Resize(2 * Mebibyte);
        if (Tool.Try("truncate", "-s", "8192", folder["medium"]) is { } obstacle)
        {
            Assert.Ignore($"skipped: {obstacle}");
        }

        EndOfStreamException cut = Assert.Throws<EndOfStreamException>(() => medium.Read(4096, new byte[8192]))!;
        Assert.That(cut.Message, Does.Contain("cut it short"));
    }

    private static void AssertWritable(FileMedium medium, long offset, int bytes)
    {
        byte[] written = new byte[bytes];
        new Random(bytes).NextBytes(written);
        medium.Write(offset, written);
        medium.Flush();
        byte[] read = new byte[bytes];
        medium.Read(offset, read);
        Assert.That(read.AsSpan().SequenceEqual(written));
    }
}
