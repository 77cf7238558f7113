namespace Everheap.Media.Tests.Volumes;

/// <summary>A file system to try a store on.</summary>
internal enum VolumeKind
{
    Ext4,

    /// <summary>Ext4's code with the old format: it cannot reserve room (fallocate).</summary>
    Ext3,
    Xfs,

    /// <summary>Writes elsewhere whenever it writes over.</summary>
    Btrfs,

    /// <summary>Memory.</summary>
    Tmpfs,

    /// <summary>Has neither sparse files nor fallocate.</summary>
    Vfat,

    /// <summary>Has neither sparse files nor fallocate; outside the kernel, for those that have no vfat.</summary>
    Exfat,
}
