using Everheap.Vm.Wasi.State;
using Microsoft.Win32.SafeHandles;

namespace Everheap.Vm.Wasi.Streams;

/// <summary>
/// Standard input. A regular file is read at the place that the program's state says, so a resumed program reads on exactly where
/// its checkpoint was. Anything else is read ahead by a thread of its own, only when the program asks, so that a wait can be interrupted; what
/// was read and not yet consumed is part of the state.
/// </summary>
/// <remarks>
/// What a killed program had consumed from a pipe after its last checkpoint is gone with the pipe: a resumed program goes on with
/// whatever its new standard input brings.
/// </remarks>
internal sealed class InputSource : IDisposable
{
    private readonly object _gate;
    private readonly SafeFileHandle? _file;
    private readonly Stream? _stream;
    private readonly FileOrigin? _origin;
    private readonly bool _ownsFile;
    private Thread? _reader;
    private byte[] _ahead = [];
    private int _wanted;
    private bool _isEnded;
    private bool _isDisposed;
    private IOException? _failure;

    private InputSource(object gate, FileType type, SafeFileHandle? file, Stream? stream, FileOrigin? origin, bool ownsFile)
    {
        _gate = gate;
        Type = type;
        _file = file;
        _stream = stream;
        _origin = origin;
        _ownsFile = ownsFile;
    }

    /// <summary>What the program may know of it.</summary>
    public FileType Type { get; }

    /// <summary>Whether it is a regular file, read by place.</summary>
    public bool IsFile => _file is not null;

    /// <summary>The regular file's length in bytes.</summary>
    public long FileLength => _file is null ? 0 : RandomAccess.GetLength(_file);

    /// <summary>Opens a program's standard input.</summary>
    /// <param name="stream">The host's stream; null for the process's own.</param>
    /// <param name="gate">Pulsed when something arrives.</param>
    /// <param name="position">Where in a regular file to start.</param>
    /// <returns>The source.</returns>
    public static InputSource Open(Stream? stream, object gate, out long position)
    {
        position = 0;
        if (stream == Stream.Null)
        {
            return new InputSource(gate, FileType.CharacterDevice, null, null, null, false) { _isEnded = true };
        }

        if (stream is FileStream { CanSeek: true } fileStream)
        {
            position = fileStream.Position;
            return new InputSource(gate, FileType.RegularFile, fileStream.SafeFileHandle, null, FileOrigin.TryFind(fileStream.Name), false);
        }

        if (stream is null && Native.IsAvailable)
        {
            if (!Native.TryStat(0, out var status))
            {
                return new InputSource(gate, FileType.Unknown, null, null, null, false) { _isEnded = true };
            }

            if (status.Type == FileType.RegularFile)
            {
                position = Math.Max(0, Native.Position(0));
                string? path = File.ResolveLinkTarget("/proc/self/fd/0", returnFinalTarget: false)?.FullName;
                return new InputSource(gate, FileType.RegularFile, new SafeFileHandle(0, ownsHandle: false), null, path is null ? null : FileOrigin.TryFind(path), false);
            }

            bool isDevice = status.Type == FileType.CharacterDevice && !Native.IsTerminal(0);
            return new InputSource(gate, isDevice ? FileType.Unknown : status.Type, null, Console.OpenStandardInput(), null, false);
        }

        return new InputSource(gate, FileType.Unknown, null, stream ?? Console.OpenStandardInput(), null, false);
    }

    /// <summary>Opens a resumed program's standard input.</summary>
    /// <param name="stream">The host's stream; null for the process's own.</param>
    /// <param name="gate">Pulsed when something arrives.</param>
    /// <param name="reader">The state.</param>
    /// <param name="diagnostics">Told if input may be missing.</param>
    /// <param name="position">Set if the place in the file is not the one that the state says.</param>
    /// <returns>The source.</returns>
    public static InputSource Resume(Stream? stream, object gate, ref StateReader reader, Action<string>? diagnostics, out long? position)
    {
        var origin = FileOrigin.Read(ref reader);
        bool isEnded = reader.Bool();
        byte[] ahead = reader.Bytes(WasiLimits.InputAheadBytesMax).ToArray();

        var source = Open(stream, gate, out long start);
        position = origin is null ? start : null;
        if (origin is not null && !source.IsFile)
        {
            if (origin.TryOpen() is { } handle)
            {
                source.Dispose();
                return new InputSource(gate, FileType.RegularFile, handle, null, origin, true);
            }

            diagnostics?.Invoke($"standard input was the file {origin.Path}, which is gone or another one now: the program reads what it is given instead");
        }

        if (!source.IsFile && origin is null)
        {
            source._ahead = ahead;
            source._isEnded |= isEnded;
        }

        return source;
    }

    /// <summary>Writes what is to be known at resume. Mutator thread.</summary>
    /// <param name="writer">The state.</param>
    public void Write(StateWriter writer)
    {
        FileOrigin.Write(writer, _origin);
        lock (_gate)
        {
            writer.Bool(_isEnded && _ahead.Length == 0 && _stream is not null);
            writer.Bytes(_ahead);
        }
    }

    /// <summary>Reads from a regular file.</summary>
    /// <param name="position">Where, in bytes from its start.</param>
    /// <param name="destination">Filled from its start.</param>
    /// <returns>How many bytes; zero at the end.</returns>
    /// <exception cref="IOException">The host refuses.</exception>
    public int ReadFile(long position, Span<byte> destination)
    {
        int count = RandomAccess.Read(_file!, destination, position);
        if (!_ownsFile && Native.IsAvailable && _file!.DangerousGetHandle() == 0)
        {
            // Whoever shares the descriptor reads on after what the program took, as after any program.
            Native.SetPosition(0, position + count);
        }

        return count;
    }

    /// <summary>Whether a read would not wait. The gate must be held; asks for bytes if there are none.</summary>
    /// <param name="wanted">How many bytes to ask for.</param>
    /// <returns>True if there are bytes, the end, or an error.</returns>
    public bool IsReady(int wanted)
    {
        if (IsFile || _ahead.Length > 0 || _isEnded || _failure is not null)
        {
            return true;
        }

        if (_wanted == 0)
        {
            _wanted = Math.Clamp(wanted, 1, WasiLimits.InputAheadBytesMax);
            Monitor.PulseAll(_gate);
            if (_reader is null)
            {
                _reader = new Thread(ReadAhead) { IsBackground = true, Name = "standard input" };
                _reader.Start();
            }
        }

        return false;
    }

    /// <summary>Bytes that can be taken without waiting. The gate must be held.</summary>
    public int ReadyBytes => _ahead.Length;

    /// <summary>Takes what was read ahead. The gate must be held, and <see cref="IsReady"/> true.</summary>
    /// <param name="countMax">The most to take.</param>
    /// <returns>The bytes; none at the end.</returns>
    /// <exception cref="IOException">The host's read failed.</exception>
    public byte[] Take(int countMax)
    {
        if (_ahead.Length == 0 && _failure is not null)
        {
            throw _failure;
        }

        byte[] taken = _ahead.Length <= countMax ? _ahead : _ahead[..countMax];
        _ahead = _ahead.Length <= countMax ? [] : _ahead[countMax..];
        return taken;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            _isDisposed = true;
            Monitor.PulseAll(_gate);
        }

        if (_ownsFile)
        {
            _file!.Dispose();
        }
    }

    private void ReadAhead()
    {
        byte[] buffer = new byte[WasiLimits.InputAheadBytesMax];
        while (true)
        {
            int wanted;
            lock (_gate)
            {
                while (_wanted == 0 && !_isDisposed)
                {
                    Monitor.Wait(_gate);
                }

                if (_isDisposed)
                {
                    return;
                }

                wanted = _wanted;
            }

            int count = 0;
            IOException? failure = null;
            try
            {
                count = _stream!.Read(buffer, 0, wanted);
            }
            catch (IOException error)
            {
                failure = error;
            }
            catch (ObjectDisposedException)
            {
                // A stream that its owner closed has ended.
            }

            lock (_gate)
            {
                _failure = failure;
                _isEnded = count == 0 && failure is null;
                _ahead = buffer[..count];
                _wanted = 0;
                Monitor.PulseAll(_gate);
                if (_isEnded || _failure is not null)
                {
                    return;
                }
            }
        }
    }
}
