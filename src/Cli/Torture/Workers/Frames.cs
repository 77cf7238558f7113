using System.Buffers.Binary;

namespace Everheap.Cli.Torture.Workers;

/// <summary>Messages over a pipe: a length, then that many bytes. One that was cut short by a kill was never sent.</summary>
internal static class Frames
{
    private const int LengthMax = 64 << 20;

    /// <summary>Writes a message with one call, so that it is in the pipe, whatever becomes of the process, when this returns.</summary>
    /// <param name="pipe">The pipe.</param>
    /// <param name="content">The message.</param>
    public static void Write(Stream pipe, MemoryStream content)
    {
        byte[] frame = new byte[sizeof(int) + content.Length];
        BinaryPrimitives.WriteInt32LittleEndian(frame, (int)content.Length);
        content.GetBuffer().AsSpan(0, (int)content.Length).CopyTo(frame.AsSpan(sizeof(int)));
        pipe.Write(frame);
        pipe.Flush();
    }

    /// <summary>Reads a message.</summary>
    /// <param name="pipe">The pipe.</param>
    /// <returns>The message; null if the other side has gone.</returns>
    /// <exception cref="InvalidDataException">What is in the pipe is no message.</exception>
    public static byte[]? Read(Stream pipe)
    {
        Span<byte> length = stackalloc byte[sizeof(int)];
        if (pipe.ReadAtLeast(length, sizeof(int), throwOnEndOfStream: false) < sizeof(int))
        {
            return null;
        }

        int count = BinaryPrimitives.ReadInt32LittleEndian(length);
        if (count is < 0 or > LengthMax)
        {
            throw new InvalidDataException($"a message of {count} bytes");
        }

        byte[] content = new byte[count];
        return pipe.ReadAtLeast(content, count, throwOnEndOfStream: false) < count ? null : content;
    }
}
