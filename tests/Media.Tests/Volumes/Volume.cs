using System.Globalization;

namespace Everheap.Media.Tests.Volumes;

/// <summary>A small file system, in a file (on a loop device) or in memory, that is mounted for a test and gone afterwards.</summary>
internal sealed class Volume : IDisposable
{
    private const long LeftToWrite = 4L << 20;

    private readonly MediaFolder _folder;
    private readonly VolumeKind _kind;

    private Volume(MediaFolder folder, VolumeKind kind)
    {
        _folder = folder;
        _kind = kind;
    }

    /// <summary>Where it is mounted.</summary>
    public string Path => _folder["mount"];

    public string this[string name] => System.IO.Path.Combine(Path, name);

    /// <summary>What is free now, after what is still on its way to the disk has arrived.</summary>
    public long FreeBytes
    {
        get
        {
            Tool.Run("sync", "-f", Path);
            return new DriveInfo(Path).AvailableFreeSpace;
        }
    }

    /// <summary>The image's size: as small as mkfs lets it be, so that there is not much to fill.</summary>
    private static long ImageBytes(VolumeKind kind) => kind switch
    {
        VolumeKind.Xfs => 320L << 20,
        VolumeKind.Btrfs => 128L << 20,
        _ => 64L << 20,
    };

    /// <summary>Makes and mounts one; skips the test, with the reason, where that is not possible.</summary>
    public static Volume Mount(VolumeKind kind)
    {
        Machine.RequireRoot();
        MediaFolder folder = new();
        try
        {
            Directory.CreateDirectory(folder["mount"]);
            if ((MakeImage(kind, folder["image"]) ?? Mount(kind, folder["image"], folder["mount"])) is { } obstacle)
            {
                Assert.Ignore($"skipped: no {kind} can be mounted here: {obstacle}");
            }

            return new Volume(folder, kind);
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <summary>Changes whether anything can be written to it.</summary>
    public void Remount(bool readOnly) => Tool.Run("mount", "-o", readOnly ? "remount,ro" : "remount,rw", Path);

    /// <summary>Leaves so many bytes, or a little less, by filling up the rest; 0: to the last byte that a file can get.</summary>
    public void FillUp(long leave)
    {
        Directory.CreateDirectory(FillerFolder);
        ReserveMost(leave);
        using FileStream filler = new(System.IO.Path.Combine(FillerFolder, "written"), FileMode.OpenOrCreate, FileAccess.Write, FileShare.None, bufferSize: 0);
        byte[] block = new byte[1 << 20];
        Array.Fill(block, (byte)0xF1);
        filler.Position = filler.Length;
        for (int size = block.Length; size > 0;)
        {
            long free = new DriveInfo(Path).AvailableFreeSpace;
            if (leave > 0 && free <= leave)
            {
                break;
            }

            try
            {
                filler.Write(block, 0, leave > 0 ? (int)Math.Min(size, free - leave) : size);

                // Btrfs knows what it has left only once it has written.
                filler.Flush(flushToDisk: _kind == VolumeKind.Btrfs);
            }
            catch (IOException)
            {
                // Full for this size: the last bytes in smaller ones.
                filler.Position = filler.Length;
                size /= 2;
            }
        }
    }

    /// <summary>Makes room again.</summary>
    public void MakeRoom()
    {
        Directory.Delete(FillerFolder, recursive: true);

        // What has been freed may become available only with the file system's next commit.
        Tool.Run("sync", "-f", Path);
    }

    public void Dispose() => _folder.Dispose();

    private string FillerFolder => this["filler"];

    /// <summary>Most of it without writing, where the file system can do that.</summary>
    private void ReserveMost(long leave)
    {
        long bytes = FreeBytes - Math.Max(leave, LeftToWrite);
        if (bytes > 0)
        {
            FileStreamOptions options = new() { Mode = FileMode.Create, Access = FileAccess.Write, PreallocationSize = bytes };
            new FileStream(System.IO.Path.Combine(FillerFolder, "reserved"), options).Dispose();
        }
    }

    private static string? MakeImage(VolumeKind kind, string image)
    {
        if (kind == VolumeKind.Tmpfs)
        {
            return null;
        }

        using (FileStream file = File.Create(image))
        {
            file.SetLength(ImageBytes(kind));
        }

        return kind switch
        {
            VolumeKind.Ext4 => Tool.Try("mkfs.ext4", "-q", "-F", "-m", "0", image),
            VolumeKind.Ext3 => Tool.Try("mkfs.ext3", "-q", "-F", "-m", "0", image),
            VolumeKind.Xfs => Tool.Try("mkfs.xfs", "-q", "-f", image),
            VolumeKind.Btrfs => Tool.Try("mkfs.btrfs", "-q", "-f", "-M", image),
            VolumeKind.Vfat => Tool.Try("mkfs.vfat", image),
            VolumeKind.Exfat => Tool.Try("mkfs.exfat", image),
            _ => throw new ArgumentOutOfRangeException(nameof(kind)),
        };
    }

    private static string? Mount(VolumeKind kind, string image, string mountPoint) => kind switch
    {
        VolumeKind.Tmpfs => Tool.Try("mount", "-t", "tmpfs", "-o", string.Create(CultureInfo.InvariantCulture, $"size={ImageBytes(kind)}"), "tmpfs", mountPoint),
        VolumeKind.Exfat => MountExfat(image, mountPoint),
        VolumeKind.Vfat => Tool.Try("mount", "-t", "vfat", "-o", "loop", image, mountPoint),
        _ => Tool.Try("mount", "-o", "loop", image, mountPoint),
    };

    private static string? MountExfat(string image, string mountPoint)
    {
        using LoopDevice device = LoopDevice.Attach(image);
        return Tool.Try("mount.exfat-fuse", device.Path, mountPoint);
    }
}
