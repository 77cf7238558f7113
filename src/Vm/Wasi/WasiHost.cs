using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text;
using Everheap.Vm.Wasi.Files;
using Everheap.Vm.Wasi.State;
using Everheap.Vm.Wasi.Streams;

namespace Everheap.Vm.Wasi;

/// <summary>
/// WASI preview 1 for one program, with everything that the program can see of it kept in the program's heap. Invariants: what the
/// heap holds after <see cref="Seal"/> is all that <see cref="Resume"/> needs; nothing is shown or written outside before
/// <see cref="Release"/> says that the checkpoint with it is durable (unless output is immediate).
/// </summary>
internal sealed partial class WasiHost : IDisposable
{
    /// <summary>The name of the module that programs import from.</summary>
    public const string ModuleName = "wasi_snapshot_preview1";

    private readonly IHeapSpace _heap;
    private readonly WasiOptions _options;
    private readonly StateRoot _root;
    private readonly StateWriter _writer = new();
    private readonly object _gate = new();
    private readonly FrozenDictionary<string, WasiFunction> _functions;

    private readonly ulong _program;
    private readonly byte[][] _arguments;
    private readonly byte[][] _environment;
    private readonly OutputMode _outputMode;
    private readonly GuestClock _clock;
    private readonly FileSystem _files;
    private readonly DescriptorTable _descriptors;
    private readonly OutputLog _log;
    private readonly InputSource _input;
    private readonly ReleaseNote _note;
    private readonly OutputReleaser _output;
    private readonly ReleaseWorker _worker;
    private readonly HostWriter _hostWriter;
    private ulong _sealNumber;
    private long _expectedCheckpoint;
    private string? _lastDiagnostic;
    private bool _hasWaiting = true;
    private bool _interrupted;
    private bool _isDisposed;

    /// <summary>A new program.</summary>
    private WasiHost(IHeapSpace heap, WasiOptions options)
    {
        _heap = heap;
        _options = options;
        _functions = BindFunctions();
        _program = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));
        _arguments = Strings([options.ProgramName, .. options.Arguments], "arguments");
        _environment = Strings([.. options.Environment.Select(static pair => $"{pair.Key}={pair.Value}")], "environment variables");
        _outputMode = options.Output;
        _clock = new GuestClock(options.Time);
        _files = FileSystem.Create(heap, _clock, options.Directories);
        _root = StateRoot.Create(heap);
        _log = new OutputLog(heap);
        _input = InputSource.Open(options.StandardInput, _gate, out long inputPosition);
        _note = ReleaseNote.Create(heap, _program, branchCheckpoint: 0);
        var (output, error) = OpenSinks();
        _output = OutputReleaser.Create(output, error, _note, options.AfterOutputPiece);
        _hostWriter = new HostWriter(options.Diagnostics, options.BeforeHostStep);
        _worker = new ReleaseWorker(_gate, _output, _hostWriter, _note, options.ReleaseInline);
        if (_files.HasHostDirectories)
        {
            _note.Require();
        }

        _descriptors = new DescriptorTable();
        AddStandardDescriptors(inputPosition, output.Type, error.Type);
    }

    /// <summary>A program that a heap holds.</summary>
    private WasiHost(IHeapSpace heap, WasiOptions options, StateRoot root)
    {
        _heap = heap;
        _options = options;
        _root = root;
        _functions = BindFunctions();

        var reader = new StateReader(root.Read(StateSection.Process), StateRoot.Name(StateSection.Process));
        _program = reader.U64();
        ExitCode = (int)reader.U32();
        _sealNumber = reader.U64();
        _outputMode = reader.Byte() switch
        {
            (byte)OutputMode.Committed => OutputMode.Committed,
            (byte)OutputMode.Immediate => OutputMode.Immediate,
            var other => throw reader.Fault($"output mode {other} does not exist"),
        };
        _arguments = ReadStrings(ref reader);
        _environment = ReadStrings(ref reader);
        _clock = GuestClock.Read(ref reader, options.Time);
        _sleep = ReadSleep(ref reader);
        _log = OutputLog.Read(heap, ref reader);
        _input = InputSource.Resume(options.StandardInput, _gate, ref reader, options.Diagnostics, out long? inputPosition);

        // A program that was moved here together with its note goes on; without one, or with one of its own only, it goes a way of its own from here.
        var note = ReleaseNote.TryRead(heap, _program);
        bool isAtBranch = heap.IsAtBranch && (note is null || note.BranchCheckpoint == heap.LatestCheckpointNumber);
        _files = FileSystem.Read(heap, _clock, root.Read(StateSection.Files), options.Directories, isAtBranch, out var nodes);
        _descriptors = DescriptorTable.Read(ref reader, nodes);
        reader.End();
        if (inputPosition is not null)
        {
            _descriptors.MoveInput(inputPosition.Value);
        }

        _note = note ?? ReleaseNote.Create(heap, _program, isAtBranch ? heap.LatestCheckpointNumber : 0);
        if (isAtBranch)
        {
            _log.Disown();
        }

        var owed = _log.Owed(out var head);
        var (output, error) = OpenSinks();
        _output = OutputReleaser.Resume(output, error, _note, head, owed, options.AfterOutputPiece);
        _hostWriter = new HostWriter(options.Diagnostics, options.BeforeHostStep);
        _worker = new ReleaseWorker(_gate, _output, _hostWriter, _note, options.ReleaseInline);
        if (_files.HasHostDirectories)
        {
            _note.Require();
        }
    }

    /// <summary>Where the state lies in the heap; it never moves. The owner of the heap keeps it.</summary>
    public ulong StateAddress => _root.Address;

    /// <summary>The code that the program gave to proc_exit.</summary>
    public int ExitCode { get; private set; }

    /// <summary>Starts a new program's system interface.</summary>
    /// <param name="heap">The program's heap.</param>
    /// <param name="options">Its surroundings.</param>
    /// <returns>The system interface.</returns>
    /// <exception cref="DirectoryNotFoundException">A host directory does not exist.</exception>
    /// <exception cref="ArgumentException">The arguments or the environment are too large.</exception>
    public static WasiHost Create(IHeapSpace heap, WasiOptions options) => new(heap, options);

    /// <summary>
    /// Goes on with the system interface that a heap holds: shows the output and writes back the file changes that its checkpoint covers
    /// and the outside lacks.
    /// </summary>
    /// <param name="heap">The program's heap, at its last checkpoint.</param>
    /// <param name="options">Its surroundings.</param>
    /// <returns>The system interface.</returns>
    /// <exception cref="InvalidDataException">The stored state is damaged.</exception>
    /// <exception cref="IOException">
    /// A host directory is gone or refuses a change that is owed to it; or the program was forked or taken back, and its options do not say which it is to use.
    /// </exception>
    public static WasiHost Resume(IHeapSpace heap, WasiOptions options)
    {
        var host = new WasiHost(heap, options, StateRoot.Open(heap, options.StateAddress));
        try
        {
            host.ReleaseOwed();
            return host;
        }
        catch
        {
            host.Dispose();
            throw;
        }
    }

    /// <summary>Finds a function that a module imports from <see cref="ModuleName"/>.</summary>
    /// <param name="name">The function's name.</param>
    /// <returns>The function; null if preview 1 has none of that name.</returns>
    public WasiFunction? Find(string name) => _functions.GetValueOrDefault(name);

    /// <summary>Writes the state into the heap: on the mutator thread, at a safepoint, just before a checkpoint begins.</summary>
    public void Seal()
    {
        _sealNumber++;
        var changes = SealFiles(out bool isComplete);
        _log.Advance(_output.Head);
        var output = _log.Seal();
        WriteProcess();

        // Checkpoints are numbered one after the other; one may still be on its way to the disk.
        _expectedCheckpoint = Math.Max(_heap.LatestCheckpointNumber, _expectedCheckpoint) + 1;
        if (output is not null || changes is not null)
        {
            _note.Require(); // before the checkpoint: wherever that is resumed, its output is its own to show
            _worker.Seal(new ReleaseJob(_expectedCheckpoint, output, changes, isComplete ? _sealNumber : 0));
        }
    }

    /// <summary>
    /// A checkpoint is durable: what it covers is shown and written back by a thread of this object's own, in order. Any thread; returns at once.
    /// </summary>
    /// <param name="checkpointNumber">The checkpoint's number.</param>
    public void Release(long checkpointNumber) => _worker.Release(checkpointNumber);

    /// <summary>
    /// After the last checkpoint of this run (the program ended, or is being suspended) is durable: on the mutator thread, with nothing changed since that
    /// checkpoint's <see cref="Seal"/>, waits until all output is shown and all file changes are written back.
    /// </summary>
    /// <param name="limit">How long to wait for a slow reader; null for as long as it takes. What is not done then is still owed, and done at resume.</param>
    /// <exception cref="IOException">
    /// The host refuses (<see cref="OutputClosedException"/> if nobody reads the output): the heap still holds what is owed, and resuming tries again.
    /// </exception>
    public void Finish(TimeSpan? limit = null)
    {
        _worker.Release(long.MaxValue);
        if (!_worker.WaitUntilDone(limit ?? Timeout.InfiniteTimeSpan))
        {
            return;
        }

        SettleChanges();
        WriteBackNow();
        if (_worker.OutputFailure is { } failure)
        {
            throw failure;
        }
    }

    /// <summary>A blocking call (sleep, read of standard input, a full output log) returns <see cref="HostOutcome.Retry"/> soon. Any thread.</summary>
    public void Interrupt()
    {
        lock (_gate)
        {
            _interrupted = true;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Stops. What was released and is not shown or written yet is still owed: call <see cref="Finish"/> first at the end of a program.</summary>
    public void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            _worker.Dispose();
            _input.Dispose();
        }
    }

    private static byte[][] Strings(IReadOnlyList<string> strings, string what)
    {
        byte[][] bytes = [.. strings.Select(Encoding.UTF8.GetBytes)];
        if (bytes.Length > WasiLimits.StringsMax || bytes.Sum(static one => (long)one.Length + 1) > WasiLimits.StringBytesMax)
        {
            throw new ArgumentException($"The {what} take more than {WasiLimits.StringBytesMax} bytes or are more than {WasiLimits.StringsMax}: give the program less.");
        }

        if (Array.Exists(bytes, static one => one.Contains((byte)0)))
        {
            throw new ArgumentException($"The {what} must not contain the character zero.");
        }

        return bytes;
    }

    private static byte[][] ReadStrings(ref StateReader reader)
    {
        byte[][] strings = new byte[reader.Count(WasiLimits.StringsMax, 4)][];
        for (int i = 0; i < strings.Length; i++)
        {
            strings[i] = reader.Bytes(WasiLimits.StringBytesMax).ToArray();
        }

        return strings;
    }

    private static void WriteStrings(StateWriter writer, byte[][] strings)
    {
        writer.Count(strings.Length);
        foreach (byte[] one in strings)
        {
            writer.Bytes(one);
        }
    }

    private (OutputSink Output, OutputSink Error) OpenSinks() => (OutputSink.Open(_options.StandardOutput, 1), OutputSink.Open(_options.StandardError, 2));

    private void AddStandardDescriptors(long inputPosition, FileType output, FileType error)
    {
        var seekable = _input.IsFile ? Rights.FdSeek | Rights.FdTell : Rights.None;
        _descriptors.Add(new Descriptor
        {
            Kind = DescriptorKind.Input,
            Type = _input.Type,
            Rights = (Rights.Stream & ~Rights.FdWrite) | seekable,
            Offset = inputPosition,
        });
        foreach (var (stream, type) in ((int, FileType)[])[(1, output), (2, error)])
        {
            // A file that output goes to is no file for the program: it is the log that the program writes to.
            _descriptors.Add(new Descriptor
            {
                Kind = DescriptorKind.Output,
                Type = type == FileType.CharacterDevice ? type : FileType.Unknown,
                Stream = stream,
                Rights = Rights.Stream & ~Rights.FdRead,
            });
        }

        foreach (var mount in _files.Mounts)
        {
            mount.Root.OpenCount++;
            _descriptors.Add(new Descriptor
            {
                Kind = DescriptorKind.Directory,
                Type = FileType.Directory,
                Node = mount.Root,
                PreopenPath = mount.GuestPath,
                Rights = Rights.Directory,
                InheritingRights = Rights.Directory | Rights.File,
            });
        }
    }

    private void WriteProcess()
    {
        _writer.Clear();
        _writer.U64(_program);
        _writer.U32((uint)ExitCode);
        _writer.U64(_sealNumber);
        _writer.Byte((byte)_outputMode);
        WriteStrings(_writer, _arguments);
        WriteStrings(_writer, _environment);
        _clock.Write(_writer);
        WriteSleep(_writer);
        _log.Write(_writer);
        _input.Write(_writer);
        _descriptors.Write(_writer);
        _root.Write(StateSection.Process, _writer.Written);
    }

    /// <summary>Writes the file system into the heap, and takes out what the host lacks.</summary>
    private IReadOnlyList<HostChange>? SealFiles(out bool isComplete)
    {
        SettleChanges();
        IReadOnlyList<HostChange>? changes = null;
        isComplete = false;
        if (_files.IsChanged || _hasWaiting)
        {
            _hasWaiting = _files.HasPending();
            if (_hasWaiting && !_worker.HasChanges)
            {
                changes = _files.Take(WasiLimits.WriteBackBytesPerCheckpoint, out isComplete);
                _hasWaiting = !isComplete;
            }
        }

        if (_files.IsChanged)
        {
            _files.Prune();
            _writer.Clear();
            _files.Write(_writer, _descriptors.OpenNodes);
            _root.Write(StateSection.Files, _writer.Written);
        }

        return changes;
    }

    /// <summary>Learns how the changes fared that were handed over before.</summary>
    private void SettleChanges()
    {
        switch (_worker.TakeOutcome(out var failure))
        {
            case ChangesOutcome.Applied:
                _files.Confirm();
                break;
            case ChangesOutcome.Refused:
                Diagnose($"file changes cannot be written back yet: {failure!.Message}");
                _files.GiveBack((failure as FileNotFoundException)?.FileName);
                _hasWaiting = true;
                break;
        }
    }

    /// <summary>Brings the host up to the heap, which must be at its last checkpoint.</summary>
    private void WriteBackNow()
    {
        while (_files.HasPending())
        {
            try
            {
                _hostWriter.Apply(_files.TakeAll(), CancellationToken.None);
            }
            catch (FileNotFoundException error)
            {
                // Someone removed a file that the program changed: the heap has all of it.
                _files.GiveBack(error.FileName);
                continue;
            }
            catch (IOException)
            {
                _files.GiveBack(null);
                throw;
            }

            _files.Confirm();
        }

        if (_files.HasHostDirectories)
        {
            _note.RecordApplied(_sealNumber);
        }
    }

    /// <summary>Shows and writes back what the heap's checkpoint covers and the outside lacks.</summary>
    private void ReleaseOwed()
    {
        if (_note.AppliedSeal >= _sealNumber && _files.HasPending())
        {
            _ = _files.TakeAll();
            _files.Confirm();
        }

        WriteBackNow();
        if (_log.Seal() is { } owed)
        {
            _worker.Seal(new ReleaseJob(0, owed, null, 0));
            _worker.Release(0);
        }
    }

    private void Diagnose(string message)
    {
        if (message != _lastDiagnostic)
        {
            _lastDiagnostic = message;
            _options.Diagnostics?.Invoke(message);
        }
    }
}
