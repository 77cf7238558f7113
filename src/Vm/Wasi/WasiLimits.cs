namespace Everheap.Vm.Wasi;

/// <summary>The bounds of everything that a program, a path or a stored state can make grow.</summary>
internal static class WasiLimits
{
    /// <summary>Buffers in one scatter or gather call; more are refused with EINVAL, as by POSIX's IOV_MAX.</summary>
    public const int VectorCountMax = 1024;

    /// <summary>Bytes that one call of fd_read, fd_write and their like moves; the rest is left to the next call.</summary>
    public const int TransferBytesMax = 1 << 20;

    /// <summary>Bytes of a path.</summary>
    public const int PathBytesMax = 4096;

    /// <summary>Bytes of one component of a path.</summary>
    public const int NameBytesMax = 255;

    /// <summary>Symbolic links followed while one path is resolved.</summary>
    public const int SymbolicLinksMax = 40;

    /// <summary>Open descriptors, preopened directories and standard streams included.</summary>
    public const int DescriptorsMax = 4096;

    /// <summary>Arguments, or environment variables.</summary>
    public const int StringsMax = 65_536;

    /// <summary>Bytes of all arguments, or of the whole environment, with their terminators.</summary>
    public const int StringBytesMax = 4 << 20;

    /// <summary>Files, directories and symbolic links that the heap holds.</summary>
    public const int NodesMax = 262_144;

    /// <summary>Levels of directories below a preopened one that may be moved or removed at once.</summary>
    public const int DirectoryDepthMax = 256;

    /// <summary>Names in one directory's listing.</summary>
    public const int ListingNamesMax = 1_000_000;

    /// <summary>Bytes of one file in the heap.</summary>
    public const long FileBytesMax = 1L << 40;

    /// <summary>Bytes of the stored state, a section.</summary>
    public const int SectionBytesMax = 512 << 20;

    /// <summary>Bytes of output that wait for their checkpoint.</summary>
    public const int OutputLogBytes = 1 << 20;

    /// <summary>Subscriptions of one call of poll_oneoff.</summary>
    public const int SubscriptionsMax = 4096;

    /// <summary>Bytes that one call of random_get fills before it looks at the memory again.</summary>
    public const int RandomPieceBytes = 64 << 10;

    /// <summary>Bytes read ahead from standard input that is not a file.</summary>
    public const int InputAheadBytesMax = 64 << 10;

    /// <summary>Bytes of changed files that one checkpoint hands over for writing back; the rest follows with the next. They are copied in the pause.</summary>
    public const int WriteBackBytesPerCheckpoint = 4 << 20;
}
