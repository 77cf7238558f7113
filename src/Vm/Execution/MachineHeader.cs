using System.Buffers.Binary;
using Everheap.Engine;

namespace Everheap.Vm.Execution;

/// <summary>
/// The page at a fixed address of the heap that names everything else of a machine: of a program, or of a host app's instances. Little-endian:
/// <code>
/// offset  size  field
///      0     8  magic "EVHPROC1"
///      8     4  version
///     12     4  state (<see cref="ProcessState"/>)
///     16     4  exit code
///     20     4  trap (<see cref="TrapKind"/>)
///     24     4  function that trapped
///     28     4  offset in the module's bytes of the instruction that trapped
///     32     4  number of the instance that trapped
///     36     4  flags: bit 0, the file stays when the program has ended; bit 1, it holds a host app's instances, no program
///     40     8  address of the directory of modules and instances (<see cref="GroupDirectory"/>)
///     48     8  its length in bytes
///     56     8  address of the memories' sizes in 64 KiB pages, 8 bytes each, by number
///     64     8  address of the tables' lengths, 8 bytes each, by number
///     72     8  address of the captured stack
///     80     8  its size in bytes
///     88     8  address of the system interface's state, or 0
///     96     8  address of the command line: the program's name and arguments in UTF-8, each followed by a zero byte
///    104     8  its length in bytes
///    112     8  address of thrown exceptions that the program may still look at, or 0
///    120     8  the length of their room in bytes
///    128     8  address of the record of pages that were used last (<see cref="RecentPages"/>), or 0
///    136     8  its length in bytes
/// </code>
/// </summary>
internal sealed class MachineHeader
{
    /// <summary>Where the page lies in the heap.</summary>
    public const ulong Address = 0x1000;

    private const int Bytes = 144;
    private const int KeepFileFlag = 1;
    private const int EmbeddedFlag = 2;
    private const ulong Magic = 0x31434F5250485645; // "EVHPROC1"
    private const int Version = 2;

    public ProcessState State { get; set; }

    public int ExitCode { get; set; }

    public TrapKind Trap { get; set; }

    public int TrapInstance { get; set; }

    public int TrapFunction { get; set; }

    public int TrapOffset { get; set; }

    public ulong DirectoryAddress { get; set; }

    public ulong DirectoryLength { get; set; }

    public ulong MemorySizesAddress { get; set; }

    public ulong TableLengthsAddress { get; set; }

    public ulong StackAddress { get; set; }

    public ulong StackBytes { get; set; }

    public ulong WasiAddress { get; set; }

    public ulong CommandLineAddress { get; set; }

    public ulong CommandLineLength { get; set; }

    public ulong ExceptionsAddress { get; set; }

    public ulong ExceptionsLength { get; set; }

    public ulong RecentPagesAddress { get; set; }

    public ulong RecentPagesLength { get; set; }

    public bool KeepFile { get; set; }

    /// <summary>Whether a host app made it by the embedding API: it has no command line, and nothing to run by itself.</summary>
    public bool IsEmbedded { get; set; }

    /// <exception cref="HeapFormatException">The heap does not hold a machine, or one of another version.</exception>
    public static MachineHeader Read(HeapReader read)
    {
        Span<byte> page = stackalloc byte[Bytes];
        read(Address, page);
        if (BinaryPrimitives.ReadUInt64LittleEndian(page) != Magic)
        {
            throw new HeapFormatException("the heap holds no program: it was not made by 'everheap run'");
        }

        int version = BinaryPrimitives.ReadInt32LittleEndian(page[8..]);
        if (version != Version)
        {
            throw new HeapFormatException(
                $"the heap holds a program in format {version}, and this version reads format {Version}: use the version that made it");
        }

        int flags = BinaryPrimitives.ReadInt32LittleEndian(page[36..]);
        return new MachineHeader
        {
            State = (ProcessState)BinaryPrimitives.ReadInt32LittleEndian(page[12..]),
            ExitCode = BinaryPrimitives.ReadInt32LittleEndian(page[16..]),
            Trap = (TrapKind)BinaryPrimitives.ReadInt32LittleEndian(page[20..]),
            TrapFunction = BinaryPrimitives.ReadInt32LittleEndian(page[24..]),
            TrapOffset = BinaryPrimitives.ReadInt32LittleEndian(page[28..]),
            TrapInstance = BinaryPrimitives.ReadInt32LittleEndian(page[32..]),
            KeepFile = (flags & KeepFileFlag) != 0,
            IsEmbedded = (flags & EmbeddedFlag) != 0,
            DirectoryAddress = BinaryPrimitives.ReadUInt64LittleEndian(page[40..]),
            DirectoryLength = BinaryPrimitives.ReadUInt64LittleEndian(page[48..]),
            MemorySizesAddress = BinaryPrimitives.ReadUInt64LittleEndian(page[56..]),
            TableLengthsAddress = BinaryPrimitives.ReadUInt64LittleEndian(page[64..]),
            StackAddress = BinaryPrimitives.ReadUInt64LittleEndian(page[72..]),
            StackBytes = BinaryPrimitives.ReadUInt64LittleEndian(page[80..]),
            WasiAddress = BinaryPrimitives.ReadUInt64LittleEndian(page[88..]),
            CommandLineAddress = BinaryPrimitives.ReadUInt64LittleEndian(page[96..]),
            CommandLineLength = BinaryPrimitives.ReadUInt64LittleEndian(page[104..]),
            ExceptionsAddress = BinaryPrimitives.ReadUInt64LittleEndian(page[112..]),
            ExceptionsLength = BinaryPrimitives.ReadUInt64LittleEndian(page[120..]),
            RecentPagesAddress = BinaryPrimitives.ReadUInt64LittleEndian(page[128..]),
            RecentPagesLength = BinaryPrimitives.ReadUInt64LittleEndian(page[136..]),
        };
    }

    public void Write(PersistentHeap heap)
    {
        Span<byte> page = stackalloc byte[Bytes];
        BinaryPrimitives.WriteUInt64LittleEndian(page, Magic);
        BinaryPrimitives.WriteInt32LittleEndian(page[8..], Version);
        BinaryPrimitives.WriteInt32LittleEndian(page[12..], (int)State);
        BinaryPrimitives.WriteInt32LittleEndian(page[16..], ExitCode);
        BinaryPrimitives.WriteInt32LittleEndian(page[20..], (int)Trap);
        BinaryPrimitives.WriteInt32LittleEndian(page[24..], TrapFunction);
        BinaryPrimitives.WriteInt32LittleEndian(page[28..], TrapOffset);
        BinaryPrimitives.WriteInt32LittleEndian(page[32..], TrapInstance);
        BinaryPrimitives.WriteInt32LittleEndian(page[36..], (KeepFile ? KeepFileFlag : 0) | (IsEmbedded ? EmbeddedFlag : 0));
        BinaryPrimitives.WriteUInt64LittleEndian(page[40..], DirectoryAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(page[48..], DirectoryLength);
        BinaryPrimitives.WriteUInt64LittleEndian(page[56..], MemorySizesAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(page[64..], TableLengthsAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(page[72..], StackAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(page[80..], StackBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(page[88..], WasiAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(page[96..], CommandLineAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(page[104..], CommandLineLength);
        BinaryPrimitives.WriteUInt64LittleEndian(page[112..], ExceptionsAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(page[120..], ExceptionsLength);
        BinaryPrimitives.WriteUInt64LittleEndian(page[128..], RecentPagesAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(page[136..], RecentPagesLength);
        heap.Write(Address, page);
    }
}
