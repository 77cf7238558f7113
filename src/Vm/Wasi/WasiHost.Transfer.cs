using System.Buffers.Binary;
using System.Numerics;
using Everheap.Vm.Execution;
using Everheap.Vm.Wasi.Files;

namespace Everheap.Vm.Wasi;

/// <content>Reading and writing through lists of buffers.</content>
internal sealed partial class WasiHost
{
    private const int VectorBytes = 8;
    private const int CopyBytes = 64 << 10;
    private const int FullLogWaitMillisecondsMax = 1000;

    // As long as was needed so far: most programs move little at a time, and there may be many of them.
    private byte[] _copy = [];
    private (uint Offset, uint Length)[] _vectors = [];
    private int _fullLogWaitMilliseconds = 1;

    /// <summary>Reads a list of buffers (<c>iovec_array</c>, <c>ciovec_array</c>).</summary>
    /// <returns>The buffers, all inside the memory; and how many bytes they have, at most <see cref="WasiLimits.TransferBytesMax"/>.</returns>
    private ReadOnlySpan<(uint Offset, uint Length)> ReadVectors(GuestMemory memory, ulong offset, ulong count, out int total)
    {
        if (count > WasiLimits.VectorCountMax)
        {
            throw new WasiException(Errno.Invalid);
        }

        if ((int)count > _vectors.Length)
        {
            _vectors = new (uint, uint)[BitOperations.RoundUpToPowerOf2((uint)count)];
        }

        Span<byte> raw = stackalloc byte[VectorBytes];
        ulong sum = 0;
        for (int i = 0; i < (int)count; i++)
        {
            memory.Read(offset + ((ulong)i * VectorBytes), raw);
            uint start = BinaryPrimitives.ReadUInt32LittleEndian(raw);
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(raw[4..]);
            if (start > memory.Length || length > memory.Length - start)
            {
                throw new GuestMemoryException(start, length, memory.Length);
            }

            _vectors[i] = (start, length);
            sum += length;
        }

        total = (int)Math.Min(sum, WasiLimits.TransferBytesMax);
        return _vectors.AsSpan(0, (int)count);
    }

    /// <summary>A buffer of so many bytes, at most <see cref="CopyBytes"/>; the same at each call.</summary>
    private Span<byte> CopyBuffer(int length)
    {
        if (length > _copy.Length)
        {
            _copy = GC.AllocateUninitializedArray<byte>((int)BitOperations.RoundUpToPowerOf2((uint)length));
        }

        return _copy.AsSpan(0, length);
    }

    /// <summary>A source of bytes for the program.</summary>
    /// <param name="destination">Filled from its start.</param>
    /// <returns>How many bytes; fewer than asked for if there are no more now.</returns>
    private delegate int Source(Span<byte> destination);

    /// <summary>Fills buffers.</summary>
    /// <returns>How many bytes were moved.</returns>
    private int Scatter(GuestMemory memory, ReadOnlySpan<(uint Offset, uint Length)> vectors, int total, Source source)
    {
        int moved = 0;
        foreach (var (offset, length) in vectors)
        {
            for (uint done = 0; done < length && moved < total;)
            {
                var piece = CopyBuffer((int)Math.Min((uint)Math.Min(CopyBytes, total - moved), length - done));
                int count = source(piece);
                memory.Write(offset + (ulong)done, piece[..count]);
                moved += count;
                done += (uint)count;
                if (count < piece.Length)
                {
                    return moved;
                }
            }
        }

        return moved;
    }

    /// <summary>Passes what is in buffers on, piece by piece.</summary>
    /// <returns>How many bytes were moved.</returns>
    private int Gather(GuestMemory memory, ReadOnlySpan<(uint Offset, uint Length)> vectors, int total, Action<ReadOnlySpan<byte>> sink)
    {
        int moved = 0;
        foreach (var (offset, length) in vectors)
        {
            for (uint done = 0; done < length && moved < total;)
            {
                var piece = CopyBuffer((int)Math.Min((uint)Math.Min(CopyBytes, total - moved), length - done));
                memory.Read(offset + (ulong)done, piece);
                sink(piece);
                moved += piece.Length;
                done += (uint)piece.Length;
            }
        }

        return moved;
    }

    private Answer FdRead(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var descriptor = _descriptors.Get((uint)arguments[0]);
        var vectors = ReadVectors(memory, arguments[1], arguments[2], out int total);
        Require(descriptor, Rights.FdRead);
        switch (descriptor.Kind)
        {
            case DescriptorKind.Input when !_input.IsFile:
                return ReadInput(memory, vectors, total, arguments[3]);
            case DescriptorKind.Input:
                int taken = ReadInputFile(memory, vectors, total, descriptor.Offset);
                WriteU32(memory, arguments[3], (uint)taken);
                descriptor.Offset += taken;
                return Errno.Success;
            case DescriptorKind.File:
                int read = ReadFile(memory, vectors, total, descriptor.File, descriptor.Offset);
                WriteU32(memory, arguments[3], (uint)read);
                descriptor.Offset += read;
                return Errno.Success;
            default:
                return descriptor.Kind == DescriptorKind.Directory ? Errno.IsDirectory : Errno.BadDescriptor;
        }
    }

    private Answer FdPread(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var descriptor = _descriptors.Get((uint)arguments[0]);
        var vectors = ReadVectors(memory, arguments[1], arguments[2], out int total);
        long offset = Position(arguments[3]);
        Require(descriptor, Rights.FdRead);
        int read;
        switch (descriptor.Kind)
        {
            case DescriptorKind.File:
                read = ReadFile(memory, vectors, total, descriptor.File, offset);
                break;
            case DescriptorKind.Input when _input.IsFile:
                read = ReadInputFile(memory, vectors, total, offset);
                break;
            default:
                return descriptor.Kind == DescriptorKind.Directory ? Errno.IsDirectory : Errno.IllegalSeek;
        }

        WriteU32(memory, arguments[4], (uint)read);
        return Errno.Success;
    }

    private Answer FdWrite(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var descriptor = _descriptors.Get((uint)arguments[0]);
        var vectors = ReadVectors(memory, arguments[1], arguments[2], out int total);
        Require(descriptor, Rights.FdWrite);
        switch (descriptor.Kind)
        {
            case DescriptorKind.Output:
                return WriteOutput(memory, vectors, total, descriptor.Stream, arguments[3]);
            case DescriptorKind.File:
                if ((descriptor.Flags & FdFlags.Append) != 0)
                {
                    descriptor.Offset = FileSystem.Length(descriptor.File);
                }

                int written = WriteFile(memory, vectors, total, descriptor.File, descriptor.Offset);
                descriptor.Offset += written;
                WriteU32(memory, arguments[3], (uint)written);
                return Errno.Success;
            default:
                return descriptor.Kind == DescriptorKind.Directory ? Errno.IsDirectory : Errno.BadDescriptor;
        }
    }

    private Answer FdPwrite(GuestMemory memory, ReadOnlySpan<ulong> arguments)
    {
        var descriptor = _descriptors.Get((uint)arguments[0]);
        var vectors = ReadVectors(memory, arguments[1], arguments[2], out int total);
        long offset = Position(arguments[3]);
        Require(descriptor, Rights.FdWrite);
        if (descriptor.Kind != DescriptorKind.File)
        {
            return descriptor.Kind == DescriptorKind.Directory ? Errno.IsDirectory : Errno.IllegalSeek;
        }

        int written = WriteFile(memory, vectors, total, descriptor.File, offset);
        WriteU32(memory, arguments[4], (uint)written);
        return Errno.Success;
    }

    private static long Position(ulong value) => value <= long.MaxValue ? (long)value : throw new WasiException(Errno.Invalid);

    private static void Require(Descriptor descriptor, Rights rights)
    {
        if ((descriptor.Rights & rights) != rights)
        {
            // What POSIX says of a descriptor that is open for the other direction only; a directory has its own answer.
            throw new WasiException(descriptor.Kind == DescriptorKind.Directory && (rights & (Rights.FdRead | Rights.FdWrite)) != 0 ? Errno.IsDirectory : Errno.BadDescriptor);
        }
    }

    private int ReadFile(GuestMemory memory, ReadOnlySpan<(uint Offset, uint Length)> vectors, int total, FileNode file, long offset) =>
        Scatter(memory, vectors, total, destination =>
        {
            int count = FileSystem.Read(file, offset, destination);
            offset += count;
            return count;
        });

    private int WriteFile(GuestMemory memory, ReadOnlySpan<(uint Offset, uint Length)> vectors, int total, FileNode file, long offset) =>
        Gather(memory, vectors, total, source =>
        {
            _files.Write(file, offset, source);
            offset += source.Length;
        });

    private int ReadInputFile(GuestMemory memory, ReadOnlySpan<(uint Offset, uint Length)> vectors, int total, long offset)
    {
        try
        {
            return Scatter(memory, vectors, total, destination =>
            {
                int count = _input.ReadFile(offset, destination);
                offset += count;
                return count;
            });
        }
        catch (IOException)
        {
            throw new WasiException(Errno.InputOutput);
        }
    }

    private Answer ReadInput(GuestMemory memory, ReadOnlySpan<(uint Offset, uint Length)> vectors, int total, ulong result)
    {
        byte[] taken = [];
        if (total > 0)
        {
            lock (_gate)
            {
                while (!_input.IsReady(total))
                {
                    if (_input.Type == FileType.CharacterDevice && _log.UnsealedBytes > 0 && _options.RequestCheckpoint is { } request)
                    {
                        // Somebody sits there: what the program asks is to be seen before it waits for the answer.
                        request();
                        return Answer.Retry;
                    }

                    if (TakeInterrupt())
                    {
                        return Answer.Retry;
                    }

                    Monitor.Wait(_gate);
                }

                try
                {
                    taken = _input.Take(total);
                }
                catch (IOException)
                {
                    return Errno.InputOutput;
                }
            }
        }

        int position = 0;
        int count = Scatter(memory, vectors, taken.Length, destination =>
        {
            taken.AsSpan(position, destination.Length).CopyTo(destination);
            position += destination.Length;
            return destination.Length;
        });
        WriteU32(memory, result, (uint)count);
        return Errno.Success;
    }

    private Answer WriteOutput(GuestMemory memory, ReadOnlySpan<(uint Offset, uint Length)> vectors, int total, int stream, ulong result)
    {
        if (_worker.OutputFailure is { } failure)
        {
            // Not for the program: it stops here, and goes on once somebody reads again.
            throw failure;
        }

        if (_outputMode == OutputMode.Immediate)
        {
            int shown = Gather(memory, vectors, total, piece =>
            {
                while (!piece.IsEmpty)
                {
                    piece = piece[_output.ShowNow(stream, piece)..];
                }
            });
            WriteU32(memory, result, (uint)shown);
            return Errno.Success;
        }

        _log.Advance(_output.Head);
        int room = _log.Room(stream);
        if (room == 0 && total > 0)
        {
            return WaitForRoom();
        }

        _fullLogWaitMilliseconds = 1;
        int written = Gather(memory, vectors, Math.Min(total, room), piece => _log.Append(stream, piece));
        WriteU32(memory, result, (uint)written);
        if (_log.UnsealedBytes > WasiLimits.OutputLogBytes / 2)
        {
            _options.RequestCheckpoint?.Invoke();
        }

        return Errno.Success;
    }

    /// <summary>
    /// The log is full: a checkpoint lets what is in it be shown. If all of it is covered by one already, a slow reader holds it up, and
    /// only the reader can help; but the call must end now and then, so that the program can be suspended.
    /// </summary>
    private Answer WaitForRoom()
    {
        if (_log.UnsealedBytes > 0)
        {
            _options.RequestCheckpoint?.Invoke();
            return Answer.Retry;
        }

        lock (_gate)
        {
            if (!_worker.IsIdle && !TakeInterrupt())
            {
                Monitor.Wait(_gate, _fullLogWaitMilliseconds);
                _fullLogWaitMilliseconds = Math.Min(_fullLogWaitMilliseconds * 2, FullLogWaitMillisecondsMax);
            }
        }

        return Answer.Retry;
    }
}
