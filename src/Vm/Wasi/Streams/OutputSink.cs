using Microsoft.Win32.SafeHandles;

namespace Everheap.Vm.Wasi.Streams;

/// <summary>A regular file that output goes to.</summary>
/// <param name="Device">The host's number of its file system.</param>
/// <param name="Inode">The host's number of the file there.</param>
internal readonly record struct SinkIdentity(ulong Device, ulong Inode);

/// <summary>Where a standard stream's bytes go on the host. Used by one thread at a time.</summary>
internal abstract class OutputSink
{
    /// <summary>Pipes take this many bytes whole or not at all (POSIX's PIPE_BUF on Linux).</summary>
    public const int PipePieceBytes = 4096;

    /// <summary>Bytes that are written to a file between two notes.</summary>
    public const int FilePieceBytes = 64 << 10;

    /// <summary>What the program may know of it.</summary>
    public abstract FileType Type { get; }

    /// <summary>The most bytes to write at once, so that the note of what was written is never far behind.</summary>
    public int PieceBytes => Identity is null ? PipePieceBytes : FilePieceBytes;

    /// <summary>Which regular file it is; null for anything else.</summary>
    public virtual SinkIdentity? Identity => null;

    /// <summary>The length of the regular file now, in bytes.</summary>
    public virtual long FileLength => throw new InvalidOperationException("Only a regular file has a length.");

    /// <summary>The place in the regular file where the next byte goes, or the file's end if it is appended to.</summary>
    public virtual long FilePosition => throw new InvalidOperationException("Only a regular file has a position.");

    /// <summary>Opens the sink of a standard stream.</summary>
    /// <param name="stream">The host's stream; null for the process's own.</param>
    /// <param name="descriptor">1 for standard output, 2 for standard error.</param>
    /// <returns>The sink.</returns>
    public static OutputSink Open(Stream? stream, int descriptor)
    {
        if (Native.IsAvailable)
        {
            if (stream is null)
            {
                return new DescriptorSink(descriptor, null);
            }

            if (stream is FileStream file)
            {
                file.Flush();
                int number = (int)file.SafeFileHandle.DangerousGetHandle();
                if (file.CanSeek)
                {
                    // .NET keeps a place of its own, and leaves the descriptor's where it was.
                    Native.SetPosition(number, file.Position);
                }

                return new DescriptorSink(number, file.SafeFileHandle);
            }
        }

        stream ??= descriptor == 1 ? Console.OpenStandardOutput() : Console.OpenStandardError();
        return new StreamSink(stream);
    }

    /// <summary>Writes bytes, at least one, waiting as long as it takes.</summary>
    /// <param name="bytes">The bytes.</param>
    /// <param name="stop">Ends the wait for a descriptor that does not block.</param>
    /// <returns>How many were written.</returns>
    /// <exception cref="OutputClosedException">Nobody reads.</exception>
    /// <exception cref="IOException">The host refuses.</exception>
    /// <exception cref="OperationCanceledException">Stopped.</exception>
    public abstract int Write(ReadOnlySpan<byte> bytes, CancellationToken stop);

    /// <summary>Makes a regular file's next byte go to this place.</summary>
    /// <param name="position">In bytes from the file's start.</param>
    public virtual void Continue(long position)
    {
    }

    /// <summary>A descriptor, written to at the position that it shares with other processes, as any program does.</summary>
    private sealed class DescriptorSink : OutputSink
    {
        private const int WaitMillisecondsMax = 20;

        private readonly int _descriptor;
        private readonly SafeFileHandle? _owner;

        public DescriptorSink(int descriptor, SafeFileHandle? owner)
        {
            _descriptor = descriptor;
            _owner = owner;
            if (Native.TryStat(descriptor, out var status))
            {
                Type = status.Type == FileType.CharacterDevice && !Native.IsTerminal(descriptor) ? FileType.Unknown : status.Type;
                Identity = status.Type == FileType.RegularFile ? new SinkIdentity(status.Device, status.Inode) : null;
            }
        }

        public override FileType Type { get; }

        public override SinkIdentity? Identity { get; }

        public override long FileLength => Native.TryStat(_descriptor, out var status) ? status.Size : 0;

        public override long FilePosition => Native.IsAppending(_descriptor) ? FileLength : Native.Position(_descriptor);

        public override void Continue(long position)
        {
            if (!Native.IsAppending(_descriptor))
            {
                Native.SetPosition(_descriptor, position);
            }
        }

        public override int Write(ReadOnlySpan<byte> bytes, CancellationToken stop)
        {
            for (int wait = 1; ; wait = Math.Min(wait * 2, WaitMillisecondsMax))
            {
                stop.ThrowIfCancellationRequested();
                nint written = Native.Write(_descriptor, bytes);
                GC.KeepAlive(_owner);
                if (written > 0)
                {
                    return (int)written;
                }

                int error = written == 0 ? Native.ErrorIo : Native.LastError;
                switch (error)
                {
                    case Native.ErrorInterrupted:
                        break;
                    case Native.ErrorAgain:
                        stop.WaitHandle.WaitOne(wait);
                        break;
                    case Native.ErrorPipe:
                        throw new OutputClosedException($"{Name} is closed: nobody reads it any more.");
                    default:
                        throw new IOException($"{Name} cannot be written: {System.Runtime.InteropServices.Marshal.GetPInvokeErrorMessage(error)}.");
                }
            }
        }

        private string Name => _descriptor switch
        {
            1 => "Standard output",
            2 => "Standard error",
            _ => "The output file",
        };
    }

    /// <summary>Any stream.</summary>
    private sealed class StreamSink(Stream stream) : OutputSink
    {
        private const int BrokenPipeWindows = unchecked((int)0x800700E8);
        private const int PipeEndedWindows = unchecked((int)0x8007006D);

        public override FileType Type => FileType.Unknown;

        public override int Write(ReadOnlySpan<byte> bytes, CancellationToken stop)
        {
            stop.ThrowIfCancellationRequested();
            try
            {
                stream.Write(bytes);
                stream.Flush();
                return bytes.Length;
            }
            catch (IOException error) when (error.HResult is Native.ErrorPipe or BrokenPipeWindows or PipeEndedWindows)
            {
                throw new OutputClosedException("The output stream is closed: nobody reads it any more.", error);
            }
            catch (ObjectDisposedException error)
            {
                throw new OutputClosedException("The output stream was disposed.", error);
            }
        }
    }
}
