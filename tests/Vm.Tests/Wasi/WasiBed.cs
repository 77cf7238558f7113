using System.Buffers.Binary;
using System.Text;
using Everheap.Engine;
using Everheap.Vm.Wasi;

namespace Everheap.Vm.Tests.Wasi;

/// <summary>
/// A program's system interface on a real store in a temporary folder, driven by hand: call functions, make checkpoints, kill, resume.
/// </summary>
internal sealed class WasiBed : IDisposable
{
    private const int MemoryBytes = 4 << 20;
    private const int ScratchStart = 1 << 10;

    private readonly string _heapPath;
    private HeapStore _store = null!;
    private PersistentHeap _heap = null!;
    private ulong _scratch = ScratchStart;

    public WasiBed()
    {
        Folder = Path.Combine(Path.GetTempPath(), "everheap-wasi-" + Guid.NewGuid().ToString("N"));
        Directory.CreateDirectory(Folder);
        _heapPath = Path.Combine(Folder, "program.heap");
    }

    /// <summary>A fresh folder, removed at the end.</summary>
    public string Folder { get; }

    public ByteMemory Memory { get; } = new(MemoryBytes);

    public WasiHost Host { get; private set; } = null!;

    public PersistentHeap Heap => _heap;

    public HeapStore Store => _store;

    /// <summary>The heap that is started and resumed: another one stands for a fork.</summary>
    public string HeapName { get; set; } = "program";

    public ManualTime Time { get; } = new();

    public MemoryStream Output { get; set; } = new();

    public MemoryStream Error { get; } = new();

    public List<string> Diagnostics { get; } = [];

    public int CheckpointRequests { get; private set; }

    /// <summary>Called after each piece of output, before its note.</summary>
    public Action? AfterOutputPiece { get; set; }

    /// <summary>Called before each change of a host directory.</summary>
    public Action? BeforeHostStep { get; set; }

    /// <summary>What the program is started with; streams, clocks and hooks are the bed's.</summary>
    public WasiOptions Options { get; set; } = new();

    /// <summary>Replaces the bed's streams.</summary>
    public Func<(Stream? Input, Stream? Output, Stream? Error)>? Streams { get; set; }

    public ulong StateAddress { get; private set; }

    /// <summary>Whether what is released is done by the release thread, as in a real process.</summary>
    public bool ReleaseOnThread { get; set; }

    public WasiBed Start()
    {
        _store = HeapStore.Create(_heapPath);
        _heap = _store.CreateHeap(HeapName);
        Host = WasiHost.Create(new HeapSpace(_heap), BuildOptions(0));
        StateAddress = Host.StateAddress;
        Checkpoint();
        return this;
    }

    /// <summary>Makes a durable checkpoint, and releases what it covers.</summary>
    public void Checkpoint() => Host.Release(CommitOnly());

    /// <summary>Makes a durable checkpoint, and dies before anything is released.</summary>
    public long CommitOnly()
    {
        Host.Seal();
        return _heap.Checkpoint().Number;
    }

    /// <summary>The program ends: everything gets out.</summary>
    public void Finish()
    {
        Checkpoint();
        Host.Finish();
    }

    /// <summary>What was not committed is lost.</summary>
    public void Kill()
    {
        Host?.Dispose();
        _heap.Dispose();
        _store.Dispose();
    }

    public void Resume()
    {
        _store = HeapStore.Open(_heapPath);
        _heap = _store.OpenHeap(HeapName);
        Host = WasiHost.Resume(new HeapSpace(_heap), BuildOptions(StateAddress));
    }

    /// <summary>Reads the state of the open heap once more.</summary>
    public void ResumeAgain() => WasiHost.Resume(new HeapSpace(_heap), BuildOptions(StateAddress)).Dispose();

    public void KillAndResume()
    {
        Kill();
        Resume();
    }

    public void Dispose()
    {
        Kill();
        Directory.Delete(Folder, recursive: true);
    }

    /// <summary>Makes a folder below the bed's.</summary>
    public string MakeFolder(string name) => Directory.CreateDirectory(Path.Combine(Folder, name)).FullName;

    /// <summary>The length of the stored file system.</summary>
    public long FilesSectionBytes()
    {
        const int FilesEntry = 16 + 32 + 16;
        byte[] length = new byte[8];
        _heap.Read(StateAddress + FilesEntry, length);
        return BinaryPrimitives.ReadInt64LittleEndian(length);
    }

    // --- calls ---

    public Errno Call(string name, params ReadOnlySpan<ulong> arguments)
    {
        var outcome = TryCall(name, out var errno, arguments);
        Assert.That(outcome, Is.EqualTo(HostOutcome.Completed), name);
        return errno;
    }

    public HostOutcome TryCall(string name, out Errno errno, params ReadOnlySpan<ulong> arguments)
    {
        var function = Host.Find(name) ?? throw new InvalidOperationException($"no function {name}");
        Assert.That(arguments.Length, Is.EqualTo(function.Type.Parameters.Length), name);
        Span<ulong> results = stackalloc ulong[1];
        results[0] = ulong.MaxValue;
        var outcome = function.Body(Memory, arguments, results);
        errno = outcome == HostOutcome.Completed && function.Type.Results.Length == 1 ? (Errno)results[0] : (Errno)ushort.MaxValue;
        return outcome;
    }

    /// <summary>Takes memory that is used once.</summary>
    public ulong Scratch(int length)
    {
        if (_scratch + (ulong)length > MemoryBytes / 2)
        {
            _scratch = ScratchStart;
        }

        ulong address = _scratch;
        _scratch += ((ulong)length + 15) & ~15UL;
        return address;
    }

    public ulong Put(ReadOnlySpan<byte> bytes)
    {
        ulong address = Scratch(bytes.Length);
        Memory.Write(address, bytes);
        return address;
    }

    public (ulong Address, ulong Length) PutText(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        return (Put(bytes), (ulong)bytes.Length);
    }

    public byte[] Get(ulong address, int length)
    {
        byte[] bytes = new byte[length];
        Memory.Read(address, bytes);
        return bytes;
    }

    public uint GetU32(ulong address) => BinaryPrimitives.ReadUInt32LittleEndian(Get(address, 4));

    public ulong GetU64(ulong address) => BinaryPrimitives.ReadUInt64LittleEndian(Get(address, 8));

    public ulong PutVector(ulong address, uint length)
    {
        byte[] vector = new byte[8];
        BinaryPrimitives.WriteUInt32LittleEndian(vector, (uint)address);
        BinaryPrimitives.WriteUInt32LittleEndian(vector.AsSpan(4), length);
        return Put(vector);
    }

    public Errno Write(uint descriptor, string text) => Write(descriptor, Encoding.UTF8.GetBytes(text));

    public Errno Write(uint descriptor, ReadOnlySpan<byte> bytes)
    {
        ulong result = Scratch(4);
        var errno = Call("fd_write", descriptor, PutVector(Put(bytes), (uint)bytes.Length), 1, result);
        if (errno == Errno.Success)
        {
            Assert.That(GetU32(result), Is.EqualTo((uint)bytes.Length));
        }

        return errno;
    }

    public string ReadText(uint descriptor, int length) => Encoding.UTF8.GetString(ReadBytes(descriptor, length));

    public byte[] ReadBytes(uint descriptor, int length)
    {
        ulong result = Scratch(4);
        ulong buffer = Scratch(length);
        Assert.That(Call("fd_read", descriptor, PutVector(buffer, (uint)length), 1, result), Is.EqualTo(Errno.Success));
        return Get(buffer, (int)GetU32(result));
    }

    public uint Open(string path, OpenFlags flags = OpenFlags.None, Rights rights = Rights.File, FdFlags fdFlags = FdFlags.None, uint directory = 3)
    {
        Assert.That(TryOpen(path, out uint descriptor, flags, rights, fdFlags, directory), Is.EqualTo(Errno.Success), path);
        return descriptor;
    }

    public Errno TryOpen(
        string path, out uint descriptor, OpenFlags flags = OpenFlags.None, Rights rights = Rights.File, FdFlags fdFlags = FdFlags.None, uint directory = 3, bool follow = true)
    {
        var (address, length) = PutText(path);
        ulong result = Scratch(4);
        var errno = Call(
            "path_open", directory, follow ? 1u : 0u, address, length, (ulong)flags, (ulong)rights, (ulong)(Rights.File | Rights.Directory), (ulong)fdFlags, result);
        descriptor = GetU32(result);
        return errno;
    }

    public Errno Close(uint descriptor) => Call("fd_close", descriptor);

    /// <summary>Writes a whole file.</summary>
    public void WriteFile(string path, string text)
    {
        uint descriptor = Open(path, OpenFlags.Create | OpenFlags.Truncate);
        Assert.That(Write(descriptor, text), Is.EqualTo(Errno.Success));
        Close(descriptor);
    }

    /// <summary>Reads a whole file.</summary>
    public string ReadFile(string path)
    {
        uint descriptor = Open(path, rights: Rights.File & ~Rights.FdWrite);
        var all = new MemoryStream();
        while (ReadBytes(descriptor, 10_000) is { Length: > 0 } piece)
        {
            all.Write(piece);
        }

        Close(descriptor);
        return Encoding.UTF8.GetString(all.ToArray());
    }

    public Errno OnPath(string function, string path, uint directory = 3)
    {
        var (address, length) = PutText(path);
        return Call(function, directory, address, length);
    }

    public Errno Rename(string from, string to, uint directory = 3, uint toDirectory = 3)
    {
        var (fromAddress, fromLength) = PutText(from);
        var (toAddress, toLength) = PutText(to);
        return Call("path_rename", directory, fromAddress, fromLength, toDirectory, toAddress, toLength);
    }

    public Errno Symlink(string target, string path, uint directory = 3)
    {
        var (targetAddress, targetLength) = PutText(target);
        var (address, length) = PutText(path);
        return Call("path_symlink", targetAddress, targetLength, directory, address, length);
    }

    public Errno Link(string from, string to, uint directory = 3, uint toDirectory = 3)
    {
        var (fromAddress, fromLength) = PutText(from);
        var (toAddress, toLength) = PutText(to);
        return Call("path_link", directory, 0, fromAddress, fromLength, toDirectory, toAddress, toLength);
    }

    public Errno Readlink(string path, out string target, int room = 100)
    {
        var (address, length) = PutText(path);
        ulong buffer = Scratch(room);
        ulong used = Scratch(4);
        var errno = Call("path_readlink", 3, address, length, buffer, (ulong)room, used);
        target = errno == Errno.Success ? Encoding.UTF8.GetString(Get(buffer, (int)GetU32(used))) : "";
        return errno;
    }

    /// <summary>What path_filestat_get says.</summary>
    public Errno Stat(string path, out FileType type, out ulong size, bool follow = true, uint directory = 3)
    {
        var (address, length) = PutText(path);
        ulong result = Scratch(64);
        var errno = Call("path_filestat_get", directory, follow ? 1u : 0u, address, length, result);
        type = (FileType)Get(result + 16, 1)[0];
        size = GetU64(result + 32);
        return errno;
    }

    /// <summary>The names in a directory, "." and ".." left out, read with a small buffer.</summary>
    public List<string> List(string path, int bufferBytes = 200)
    {
        uint descriptor = Open(path, OpenFlags.Directory, Rights.Directory);
        var names = List(descriptor, bufferBytes, 0, out _);
        Close(descriptor);
        Assert.That(names.Take(2), Is.EqualTo(new[] { ".", ".." }));
        return names[2..];
    }

    public List<string> List(uint descriptor, int bufferBytes, ulong cookie, out ulong nextCookie, int callsMax = int.MaxValue)
    {
        var names = new List<string>();
        ulong used = Scratch(4);
        for (int call = 0; call < callsMax; call++)
        {
            ulong buffer = Scratch(bufferBytes);
            Assert.That(Call("fd_readdir", descriptor, buffer, (ulong)bufferBytes, cookie, used), Is.EqualTo(Errno.Success));
            byte[] entries = Get(buffer, (int)GetU32(used));
            int at = 0;
            while (entries.Length - at >= 24)
            {
                int nameLength = (int)BinaryPrimitives.ReadUInt32LittleEndian(entries.AsSpan(at + 16));
                if (entries.Length - at - 24 < nameLength)
                {
                    break;
                }

                cookie = BinaryPrimitives.ReadUInt64LittleEndian(entries.AsSpan(at));
                names.Add(Encoding.UTF8.GetString(entries, at + 24, nameLength));
                at += 24 + nameLength;
            }

            if (entries.Length < bufferBytes)
            {
                break;
            }
        }

        nextCookie = cookie;
        return names;
    }

    private WasiOptions BuildOptions(ulong stateAddress)
    {
        var (input, output, error) = Streams?.Invoke() ?? (Stream.Null, Output, Error);
        return new WasiOptions
        {
            ProgramName = Options.ProgramName,
            Arguments = Options.Arguments,
            Environment = Options.Environment,
            Directories = Options.Directories,
            Output = Options.Output,
            StandardInput = input,
            StandardOutput = output,
            StandardError = error,
            StateAddress = stateAddress,
            RequestCheckpoint = () => CheckpointRequests++,
            Diagnostics = Diagnostics.Add,
            Time = Time,
            ReleaseInline = !ReleaseOnThread,
            AfterOutputPiece = () => AfterOutputPiece?.Invoke(),
            BeforeHostStep = () => BeforeHostStep?.Invoke(),
        };
    }
}
