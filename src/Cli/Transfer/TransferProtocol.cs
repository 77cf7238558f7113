using System.Buffers.Binary;
using System.Text;
using Everheap.Engine;
using Everheap.Engine.Transfer;

namespace Everheap.Cli.Transfer;

/// <summary>What an answer of the receiver says.</summary>
internal enum AnswerKind : uint
{
    /// <summary>To an offer: send, from this page on.</summary>
    GoOn = 1,

    /// <summary>To an offer: the checkpoint is here already.</summary>
    Present = 2,

    /// <summary>To a stream: it was received, and is durable.</summary>
    Received = 3,

    /// <summary>To either: it is refused, for this reason.</summary>
    Refused = 4,
}

/// <summary>An answer of the receiver.</summary>
/// <param name="Kind">What it says.</param>
/// <param name="NextPage">The page to start from, where it says to go on.</param>
/// <param name="Text">More of it, for people.</param>
internal sealed record Answer(AnswerKind Kind, ulong NextPage, string Text);

/// <summary>What a sender wants to send.</summary>
/// <param name="HeapName">The name of its heap.</param>
/// <param name="Transfer">The checkpoint and what it is based on.</param>
internal sealed record Offer(string HeapName, TransferResumePoint Transfer);

/// <summary>
/// What sender and receiver say to each other over a connection, besides the stream itself: docs/transfer.md has the bytes. Numbers are little-endian. Everything has a length that is fixed, or
/// bounded before it is read.
/// </summary>
internal static class TransferProtocol
{
    /// <summary>What a sender's proof is made for.</summary>
    public const string SenderRole = "everheap sender 1";

    /// <summary>What a receiver's proof is made for.</summary>
    public const string ReceiverRole = "everheap receiver 1";

    /// <summary>Bytes that each side starts with.</summary>
    public const int MagicBytes = 8;

    private const int OfferBytes = 16 + 16 + 4 + HeapStore.HeapNameBytesMax;
    private const int AnswerBytes = 16;
    private const int TextBytesMax = 1024;

    /// <summary>How long the other side may take for each step before the stream starts.</summary>
    public static TimeSpan Patience { get; } = TimeSpan.FromSeconds(30);

    /// <summary>What a receiver starts with.</summary>
    public static ReadOnlySpan<byte> ReceiverMagic => "EHRECV01"u8;

    /// <summary>What a sender starts with.</summary>
    public static ReadOnlySpan<byte> SenderMagic => "EHSEND01"u8;

    /// <summary>Reads so many bytes.</summary>
    /// <param name="stream">Where from.</param>
    /// <param name="count">How many.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>The bytes.</returns>
    public static async Task<byte[]> ReadAsync(Stream stream, int count, CancellationToken cancellation)
    {
        byte[] bytes = new byte[count];
        await stream.ReadExactlyAsync(bytes, cancellation).ConfigureAwait(false);
        return bytes;
    }

    /// <summary>Writes bytes, and sends them.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="bytes">The bytes.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>When they are sent.</returns>
    public static async Task WriteAsync(Stream stream, ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        await stream.WriteAsync(bytes, cancellation).ConfigureAwait(false);
        await stream.FlushAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>Offers a checkpoint.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="offer">The offer.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>When it is sent.</returns>
    public static Task WriteOfferAsync(Stream stream, Offer offer, CancellationToken cancellation)
    {
        byte[] bytes = new byte[OfferBytes];
        offer.Transfer.ToContentId.TryWriteBytes(bytes);
        offer.Transfer.FromContentId.TryWriteBytes(bytes.AsSpan(16));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(32), (uint)Encoding.UTF8.GetBytes(offer.HeapName, bytes.AsSpan(36)));
        return WriteAsync(stream, bytes, cancellation);
    }

    /// <summary>Reads an offer.</summary>
    /// <param name="stream">Where from.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>The offer.</returns>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public static async Task<Offer> ReadOfferAsync(Stream stream, CancellationToken cancellation)
    {
        byte[] bytes = await ReadAsync(stream, OfferBytes, cancellation).ConfigureAwait(false);
        uint nameLength = BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(32));
        return nameLength <= HeapStore.HeapNameBytesMax
            ? new Offer(Encoding.UTF8.GetString(bytes, 36, (int)nameLength), new TransferResumePoint(new Guid(bytes.AsSpan(0, 16)), new Guid(bytes.AsSpan(16, 16)), 0))
            : throw new InvalidDataException("its offer is malformed");
    }

    /// <summary>Answers.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="answer">The answer; its text is cut to what there is room for.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>When it is sent.</returns>
    public static Task WriteAnswerAsync(Stream stream, Answer answer, CancellationToken cancellation)
    {
        byte[] bytes = new byte[AnswerBytes + TextBytesMax];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)answer.Kind);
        Encoding.UTF8.GetEncoder().Convert(answer.Text, bytes.AsSpan(AnswerBytes), flush: true, out _, out int length, out _);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4), (uint)length);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8), answer.NextPage);
        return WriteAsync(stream, bytes.AsMemory(0, AnswerBytes + length), cancellation);
    }

    /// <summary>Reads an answer.</summary>
    /// <param name="stream">Where from.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>The answer.</returns>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public static async Task<Answer> ReadAnswerAsync(Stream stream, CancellationToken cancellation)
    {
        byte[] bytes = await ReadAsync(stream, AnswerBytes, cancellation).ConfigureAwait(false);
        var kind = (AnswerKind)BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(4));
        if (!Enum.IsDefined(kind) || length > TextBytesMax)
        {
            throw new InvalidDataException("its answer is malformed");
        }

        byte[] text = await ReadAsync(stream, (int)length, cancellation).ConfigureAwait(false);
        return new Answer(kind, BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(8)), Encoding.UTF8.GetString(text));
    }
}
