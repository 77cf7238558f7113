using System.Buffers.Binary;
using Everheap.Engine;

namespace Everheap.Vm.Execution;

/// <summary>
/// The page at a fixed address of the heap that names everything else of a program. Little-endian:
/// <code>
/// offset  size  field
///      0     8  magic "EVHPROC1"
///      8     4  version
///     12     4  state (<see cref="ProcessState"/>)
///     16     4  exit code
///     20     4  trap (<see cref="TrapKind"/>)
///     24     4  function that trapped
///     28     4  offset in the module's bytes of the instruction that trapped
///     32     8  address of the module's bytes
///     40     8  their length
///     48     8  address of the globals, 8 bytes each
///     56     8  address of linear memory, or 0
///     64     8  its size in 64 KiB pages
///     72     8  address of the tables' lengths, 8 bytes each; their elements lie behind, each table in a range of its own
///     80     8  address of the dropped-segment flags, a byte each: data, then elements
///     88     8  address of the captured stack
///     96     8  its size in bytes
///    104     8  address of the system interface's state
///    112     8  address of the command line: the program's name and arguments in UTF-8, each followed by a zero byte
///    120     8  its length in bytes
///    128     4  flags: bit 0, the file stays when the program has ended
/// </code>
/// </summary>
internal sealed class ProcessHeader
{
    /// <summary>Where the page lies in the heap.</summary>
    public const ulong Address = 0x1000;

    private const int Bytes = 132;
    private const int KeepFileFlag = 1;
    private const ulong Magic = 0x31434F5250485645; // "EVHPROC1"
    private const int Version = 1;

    public ProcessState State { get; set; }

    public int ExitCode { get; set; }

    public TrapKind Trap { get; set; }

    public int TrapFunction { get; set; }

    public int TrapOffset { get; set; }

    public ulong ModuleAddress { get; set; }

    public ulong ModuleLength { get; set; }

    public ulong GlobalsAddress { get; set; }

    public ulong MemoryAddress { get; set; }

    public ulong MemoryPages { get; set; }

    public ulong TablesAddress { get; set; }

    public ulong SegmentsAddress { get; set; }

    public ulong StackAddress { get; set; }

    public ulong StackBytes { get; set; }

    public ulong WasiAddress { get; set; }

    public ulong CommandLineAddress { get; set; }

    public ulong CommandLineLength { get; set; }

    public bool KeepFile { get; set; }

    /// <exception cref="HeapFormatException">The heap does not hold a program, or one of another version.</exception>
    public static ProcessHeader Read(HeapReader read)
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

        return new ProcessHeader
        {
            State = (ProcessState)BinaryPrimitives.ReadInt32LittleEndian(page[12..]),
            ExitCode = BinaryPrimitives.ReadInt32LittleEndian(page[16..]),
            Trap = (TrapKind)BinaryPrimitives.ReadInt32LittleEndian(page[20..]),
            TrapFunction = BinaryPrimitives.ReadInt32LittleEndian(page[24..]),
            TrapOffset = BinaryPrimitives.ReadInt32LittleEndian(page[28..]),
            ModuleAddress = BinaryPrimitives.ReadUInt64LittleEndian(page[32..]),
            ModuleLength = BinaryPrimitives.ReadUInt64LittleEndian(page[40..]),
            GlobalsAddress = BinaryPrimitives.ReadUInt64LittleEndian(page[48..]),
            MemoryAddress = BinaryPrimitives.ReadUInt64LittleEndian(page[56..]),
            MemoryPages = BinaryPrimitives.ReadUInt64LittleEndian(page[64..]),
            TablesAddress = BinaryPrimitives.ReadUInt64LittleEndian(page[72..]),
            SegmentsAddress = BinaryPrimitives.ReadUInt64LittleEndian(page[80..]),
            StackAddress = BinaryPrimitives.ReadUInt64LittleEndian(page[88..]),
            StackBytes = BinaryPrimitives.ReadUInt64LittleEndian(page[96..]),
            WasiAddress = BinaryPrimitives.ReadUInt64LittleEndian(page[104..]),
            CommandLineAddress = BinaryPrimitives.ReadUInt64LittleEndian(page[112..]),
            CommandLineLength = BinaryPrimitives.ReadUInt64LittleEndian(page[120..]),
            KeepFile = (BinaryPrimitives.ReadInt32LittleEndian(page[128..]) & KeepFileFlag) != 0,
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
        BinaryPrimitives.WriteUInt64LittleEndian(page[32..], ModuleAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(page[40..], ModuleLength);
        BinaryPrimitives.WriteUInt64LittleEndian(page[48..], GlobalsAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(page[56..], MemoryAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(page[64..], MemoryPages);
        BinaryPrimitives.WriteUInt64LittleEndian(page[72..], TablesAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(page[80..], SegmentsAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(page[88..], StackAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(page[96..], StackBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(page[104..], WasiAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(page[112..], CommandLineAddress);
        BinaryPrimitives.WriteUInt64LittleEndian(page[120..], CommandLineLength);
        BinaryPrimitives.WriteInt32LittleEndian(page[128..], KeepFile ? KeepFileFlag : 0);
        heap.Write(Address, page);
    }
}
