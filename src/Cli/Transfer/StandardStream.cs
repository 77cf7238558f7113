using Microsoft.Win32.SafeHandles;

namespace Everheap.Cli.Transfer;

/// <summary>
/// Standard input or output for bytes. A system call on a pipe cannot be cancelled, so it is made by another thread, which a cancellation leaves behind: the process is
/// about to end. (The runtime's own console streams take a closed pipe for success.)
/// </summary>
internal sealed class StandardStream : Stream
{
    private const int BufferBytes = 128 * 1024;
    private const int InputDescriptor = 0;
    private const int OutputDescriptor = 1;

    /// <summary>EPIPE, as .NET reports it.</summary>
    private const int ErrorPipe = 32;

    private readonly FileStream _stream;
    private readonly byte[] _buffer = new byte[BufferBytes];

    private StandardStream(int descriptor, FileAccess access) =>
        _stream = new FileStream(new SafeFileHandle(descriptor, ownsHandle: false), access, bufferSize: 0);

    /// <inheritdoc/>
    public override bool CanRead => _stream.CanRead;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => _stream.CanWrite;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Standard input.</summary>
    /// <returns>The stream.</returns>
    /// <exception cref="CommandException">It is a terminal.</exception>
    public static StandardStream OpenInput() => Console.IsInputRedirected
        ? new StandardStream(InputDescriptor, FileAccess.Read)
        : throw new CommandException(ExitCode.Usage, "standard input is a terminal, and a stream is no text: pipe or redirect 'everheap send' into it, or use --listen; see: everheap receive --help");

    /// <summary>Standard output.</summary>
    /// <returns>The stream.</returns>
    /// <exception cref="CommandException">It is a terminal.</exception>
    public static StandardStream OpenOutput() => Console.IsOutputRedirected
        ? new StandardStream(OutputDescriptor, FileAccess.Write)
        : throw new CommandException(ExitCode.Usage, "standard output is a terminal, and a stream is no text: redirect it to a file or pipe it to 'everheap receive', or use --to; see: everheap send --help");

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        // Into a buffer of its own, which nobody else uses when it is left behind.
        int wanted = Math.Min(buffer.Length, _buffer.Length);
        int count = await Task.Run(() => _stream.Read(_buffer, 0, wanted), CancellationToken.None).WaitAsync(cancellationToken).ConfigureAwait(false);
        _buffer.AsMemory(0, count).CopyTo(buffer);
        return count;
    }

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (!buffer.IsEmpty)
        {
            int count = Math.Min(buffer.Length, _buffer.Length);
            buffer[..count].CopyTo(_buffer);
            await Task.Run(() => WriteBuffer(count), CancellationToken.None).WaitAsync(cancellationToken).ConfigureAwait(false);
            buffer = buffer[count..];
        }
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => _stream.Read(buffer, offset, count);

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => _stream.Write(buffer, offset, count);

    /// <inheritdoc/>
    public override void Flush() => _stream.Flush();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    private void WriteBuffer(int count)
    {
        try
        {
            _stream.Write(_buffer, 0, count);
        }
        catch (IOException failure)
        {
            throw (failure.HResult & 0xFFFF) == ErrorPipe
                ? new CommandException(ExitCode.OutputClosed, "standard output was closed by its reader before the stream was complete")
                : new CommandException(ExitCode.File, $"standard output cannot be written: {failure.Message}");
        }
    }
}
