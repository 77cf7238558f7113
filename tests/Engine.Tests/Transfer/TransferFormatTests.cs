using System.Buffers.Binary;
using System.IO.Hashing;
using System.Runtime.CompilerServices;
using System.Text;
using Everheap.Engine.Tests.Simulation;
using Everheap.Engine.Transfer;

namespace Everheap.Engine.Tests.Transfer;

/// <summary>The byte tables of docs/transfer.md, by sizes and offsets, and by a reader of its own that follows the document alone.</summary>
[TestFixture]
internal sealed class TransferFormatTests
{
    private const int PageSize = PersistentHeap.PageSize;

    [Test]
    public void Structures_are_as_long_as_the_document_says()
    {
        Assert.Multiple(() =>
        {
            Assert.That(Unsafe.SizeOf<StreamHeader>(), Is.EqualTo(256));
            Assert.That(Unsafe.SizeOf<BlockHeader>(), Is.EqualTo(32));
            Assert.That(Unsafe.SizeOf<EndRecord>(), Is.EqualTo(64));
            Assert.That(BitConverter.GetBytes(TransferFormat.Magic), Is.EqualTo("EHSTREAM"u8.ToArray()));
            Assert.That(TransferFormat.PageEnd, Is.EqualTo(1UL << 36));
        });
    }

    [Test]
    public void A_reader_that_knows_only_the_document_understands_a_stream()
    {
        using TransferBench bench = new();
        using PersistentHeap heap = bench.Source.CreateHeap("größe");
        const ulong FirstPage = SimulatedStores.Address / PageSize;
        SimulatedStores.Fill(heap, SimulatedStores.Address, 70, version: 1);
        heap.Checkpoint();
        bench.Source.Retain("größe", 1);
        SimulatedStores.Fill(heap, SimulatedStores.Address, 40, version: 2);
        heap.Write(SimulatedStores.Address + (40 * PageSize), new byte[PageSize]);
        heap.Clear(SimulatedStores.Address + (60 * PageSize), 10 * PageSize);
        SimulatedStores.Fill(heap, SimulatedStores.Address + (80 * PageSize), 1, version: 2);
        heap.Write(SimulatedStores.Address + (81 * PageSize), new byte[PageSize]);
        heap.Checkpoint();
        CheckpointInfo[] history = [.. bench.Source.History("größe")];
        byte[] stream = bench.Send(from: 1, heapName: "größe");

        byte[] header = stream[..256];
        Assert.Multiple(() =>
        {
            Assert.That(Encoding.ASCII.GetString(header, 0, 8), Is.EqualTo("EHSTREAM"));
            Assert.That(U32(header, 8), Is.EqualTo(1));
            Assert.That(U32(header, 12), Is.EqualTo(4096));
            Assert.That(new Guid(header.AsSpan(24, 16)), Is.EqualTo(bench.Source.Id));
            Assert.That(new Guid(header.AsSpan(40, 16)), Is.EqualTo(history[1].ContentId));
            Assert.That(new Guid(header.AsSpan(56, 16)), Is.EqualTo(history[0].ContentId));
            Assert.That(U64(header, 72), Is.EqualTo(2));
            Assert.That(U64(header, 80), Is.EqualTo(1));
            Assert.That((long)U64(header, 88), Is.EqualTo(history[1].Time.Ticks));
            Assert.That(U64(header, 96), Is.EqualTo(70 - 10 + 2));
            Assert.That(U64(header, 104), Is.Zero);
            Assert.That(U32(header, 112), Is.Zero);
            Assert.That(U32(header, 116), Is.EqualTo(7));
            Assert.That(Encoding.UTF8.GetString(header, 120, 7), Is.EqualTo("größe"));
            Assert.That(header[127..], Is.All.Zero);
        });
        ulong chain = U64(header, 16);
        Assert.That(HashWithoutChecksum(header, 16, 0), Is.EqualTo(chain));

        List<(ulong Page, int Kind, byte[]? Content)> pages = [];
        ulong blocks = 0;
        int at = 256;
        while (true)
        {
            uint kind = U32(stream, at);
            int length = (int)U32(stream, at + 4);
            byte[] block = stream[at..(at + 32 + length)];
            Assert.That(HashWithoutChecksum(block, 8, chain), Is.EqualTo(U64(block, 8)));
            Assert.That(U64(block, 16), Is.EqualTo(blocks + 1));
            chain = U64(block, 8);
            if (kind == 2)
            {
                Assert.That(at + block.Length, Is.EqualTo(stream.Length), "nothing follows");
                ulong[] totals = [.. Enumerable.Range(0, 6).Select(i => U64(block, 32 + (i * 8)))];
                Assert.That(totals, Is.EqualTo(new ulong[] { 2, 41, 10, 41, blocks, (ulong)at }));
                Assert.That(new Guid(block.AsSpan(80, 16)), Is.EqualTo(history[1].ContentId));
                break;
            }

            Assert.That(kind, Is.EqualTo(1));
            blocks++;
            uint records = U32(block, 24);
            int content = 32 + (int)(records * 8);
            for (int i = 0; i < records; i++)
            {
                ulong record = U64(block, 32 + (i * 8));
                int pageKind = (int)(record >> 56);
                byte[]? bytes = pageKind is 1 or 2 ? block[content..(content + PageSize)] : null;
                content += bytes is null ? 0 : PageSize;
                pages.Add((record & 0xFF_FFFF_FFFF_FFFF, pageKind, bytes));
            }

            Assert.That(content, Is.EqualTo(block.Length));
            Assert.That(U32(block, 28), Is.EqualTo((content - 32 - (records * 8)) / PageSize));
            at += block.Length;
        }

        List<(ulong Page, int Kind, byte[]? Content)> expected =
        [
            .. Enumerable.Range(0, 40).Select(i => (FirstPage + (ulong)i, 2, (byte[]?)SimulatedStores.PageContent(FirstPage + (ulong)i, 2))),
            (FirstPage + 40, 5, null),
            .. Enumerable.Range(60, 10).Select(i => (FirstPage + (ulong)i, 3, (byte[]?)null)),
            (FirstPage + 80, 1, SimulatedStores.PageContent(FirstPage + 80, 2)),
            (FirstPage + 81, 4, null),
        ];
        Assert.That(pages, Is.EqualTo(expected));
    }

    [Test]
    public void A_resume_point_is_one_word_and_reads_back()
    {
        TransferResumePoint whole = new(Guid.NewGuid(), Guid.Empty, 0);
        TransferResumePoint difference = new(Guid.NewGuid(), Guid.NewGuid(), (1UL << 36) - 1);
        foreach (TransferResumePoint point in new[] { whole, difference })
        {
            string text = point.ToString();
            Assert.That(text, Does.Match("^[0-9a-z-]+$"));
            Assert.That(TransferResumePoint.Parse($" {text}\n"), Is.EqualTo(point));
        }
    }

    [Test]
    public void A_mistyped_resume_point_is_refused()
    {
        string text = new TransferResumePoint(Guid.NewGuid(), Guid.NewGuid(), 0x12345).ToString();
        for (int i = 0; i < text.Length; i++)
        {
            string mistyped = text[..i] + (text[i] == '7' ? '8' : '7') + text[(i + 1)..];
            Assert.That(TransferResumePoint.TryParse(mistyped, null, out _), Is.False, mistyped);
            Assert.That(TransferResumePoint.TryParse(text[..i], null, out _), Is.False, text[..i]);
        }

        Assert.That(TransferResumePoint.TryParse(null, null, out _), Is.False);
        Assert.That(() => TransferResumePoint.Parse("nonsense"), Throws.InstanceOf<FormatException>().With.Message.Contains("nonsense"));
    }

    private static uint U32(byte[] bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at));

    private static ulong U64(byte[] bytes, int at) => BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at));

    private static ulong HashWithoutChecksum(byte[] bytes, int checksumAt, ulong seed)
    {
        byte[] copy = [.. bytes];
        copy.AsSpan(checksumAt, 8).Clear();
        return XxHash3.HashToUInt64(copy, (long)seed);
    }
}
