using System.Buffers.Binary;
using System.IO.Pipes;
using System.Text;
using Everheap.Vm.Wasi;

namespace Everheap.Vm.Tests.Wasi;

internal sealed class StandardStreamTests
{
    [Test]
    public void Output_is_held_back_until_its_checkpoint_is_durable()
    {
        using var bed = new WasiBed().Start();
        Assert.That(bed.Write(1, "one\n"), Is.EqualTo(Errno.Success));
        Assert.That(bed.Write(2, "bad\n"), Is.EqualTo(Errno.Success));
        Assert.That(bed.Output.Length, Is.Zero);
        long number = bed.CommitOnly();
        Assert.That(bed.Output.Length, Is.Zero);
        bed.Write(1, "two\n");
        bed.Host.Release(number);
        Assert.That(Text(bed.Output), Is.EqualTo("one\n"));
        Assert.That(Text(bed.Error), Is.EqualTo("bad\n"));
        bed.Finish();
        Assert.That(Text(bed.Output), Is.EqualTo("one\ntwo\n"));
    }

    [Test]
    public void A_release_shows_nothing_of_a_later_checkpoint()
    {
        using var bed = new WasiBed().Start();
        bed.Write(1, "a");
        long first = bed.CommitOnly();
        bed.Write(1, "b");
        long second = bed.CommitOnly();
        bed.Host.Release(first);
        Assert.That(Text(bed.Output), Is.EqualTo("a"));
        bed.Host.Release(second);
        Assert.That(Text(bed.Output), Is.EqualTo("ab"));
    }

    [Test]
    public void Immediate_output_waits_for_nothing()
    {
        using var bed = new WasiBed { Options = new WasiOptions { Output = OutputMode.Immediate } }.Start();
        bed.Write(1, "now");
        Assert.That(Text(bed.Output), Is.EqualTo("now"));
        bed.KillAndResume();
        bed.Write(1, "!");
        Assert.That(Text(bed.Output), Is.EqualTo("now!"));
    }

    [Test]
    public void Several_buffers_are_one_write()
    {
        using var bed = new WasiBed().Start();
        byte[] vectors = new byte[24];
        int at = 0;
        foreach (string part in (string[])["ab", "", "cde"])
        {
            var (address, length) = bed.PutText(part);
            BinaryPrimitives.WriteUInt32LittleEndian(vectors.AsSpan(at), (uint)address);
            BinaryPrimitives.WriteUInt32LittleEndian(vectors.AsSpan(at + 4), (uint)length);
            at += 8;
        }

        ulong result = bed.Scratch(4);
        Assert.That(bed.Call("fd_write", 1, bed.Put(vectors), 3, result), Is.EqualTo(Errno.Success));
        Assert.That(bed.GetU32(result), Is.EqualTo(5));
        Assert.That(bed.Call("fd_write", 1, 0, WasiLimits.VectorCountMax + 1, result), Is.EqualTo(Errno.Invalid));
        bed.Finish();
        Assert.That(Text(bed.Output), Is.EqualTo("abcde"));
    }

    [Test]
    public void A_full_log_asks_for_a_checkpoint_and_goes_on_after_it()
    {
        using var bed = new WasiBed().Start();
        byte[] piece = new byte[100_000];
        var expected = new MemoryStream();
        ulong result = bed.Scratch(4);
        bool wasFull = false;
        for (int i = 0; i < 40; i++)
        {
            Array.Fill(piece, (byte)('a' + (i % 26)));
            ulong address = bed.Put(piece);
            for (uint done = 0; done < piece.Length;)
            {
                var outcome = bed.TryCall("fd_write", out _, 1, bed.PutVector(address + done, (uint)piece.Length - done), 1, result);
                if (outcome == HostOutcome.Retry)
                {
                    wasFull = true;
                    Assert.That(bed.CheckpointRequests, Is.Positive);
                    bed.Checkpoint();
                    continue;
                }

                done += bed.GetU32(result);
            }

            expected.Write(piece);
        }

        Assert.That(wasFull);
        bed.Finish();
        Assert.That(bed.Output.ToArray().AsSpan().SequenceEqual(expected.ToArray()));
    }

    [Test]
    public void The_streams_are_what_they_are()
    {
        using var bed = new WasiBed().Start();
        ulong stat = bed.Scratch(64);
        Assert.That(bed.Call("fd_fdstat_get", 1, stat), Is.EqualTo(Errno.Success));
        Assert.That((Rights)bed.GetU64(stat + 8) & (Rights.FdSeek | Rights.FdTell | Rights.FdRead), Is.EqualTo(Rights.None));
        Assert.That(bed.Call("fd_seek", 1, 0, 0, stat), Is.EqualTo(Errno.IllegalSeek));
        Assert.That(bed.Call("fd_tell", 0, stat), Is.EqualTo(Errno.IllegalSeek));
        Assert.That(bed.Call("fd_filestat_get", 1, stat), Is.EqualTo(Errno.Success));
        Assert.That(bed.Call("fd_prestat_get", 0, stat), Is.EqualTo(Errno.BadDescriptor));
        Assert.That(bed.Call("fd_read", 1, 0, 0, stat), Is.EqualTo(Errno.BadDescriptor));
        Assert.That(bed.Call("fd_write", 0, 0, 0, stat), Is.EqualTo(Errno.BadDescriptor));
        Assert.That(bed.Call("fd_pwrite", 1, 0, 0, 0, stat), Is.EqualTo(Errno.IllegalSeek));
        Assert.That(bed.Call("fd_fdstat_set_flags", 1, (ulong)FdFlags.NonBlocking), Is.EqualTo(Errno.Success));
        Assert.That(bed.Call("fd_fdstat_set_flags", 1, 64), Is.EqualTo(Errno.Invalid));
        Assert.That(bed.Close(1), Is.EqualTo(Errno.Success));
        Assert.That(bed.Close(1), Is.EqualTo(Errno.BadDescriptor));
    }

    [Test]
    public void Without_input_the_end_of_file_comes_at_once()
    {
        using var bed = new WasiBed().Start();
        Assert.That(bed.ReadBytes(0, 100), Is.Empty);
    }

    [Test]
    public void Input_from_a_file_goes_on_at_the_checkpoint()
    {
        using var bed = new WasiBed();
        string path = Path.Combine(bed.Folder, "input.txt");
        File.WriteAllText(path, "0123456789");
        using var input = new FileStream(path, FileMode.Open, FileAccess.Read);
        bed.Streams = () => (input, bed.Output, bed.Error);
        bed.Start();
        Assert.That(bed.ReadText(0, 3), Is.EqualTo("012"));
        bed.Checkpoint();
        Assert.That(bed.ReadText(0, 3), Is.EqualTo("345"));
        bed.KillAndResume();
        Assert.That(bed.ReadText(0, 4), Is.EqualTo("3456"));
        ulong place = bed.Scratch(8);
        Assert.That(bed.Call("fd_tell", 0, place), Is.EqualTo(Errno.Success));
        Assert.That(bed.GetU64(place), Is.EqualTo(7));
        Assert.That(bed.ReadText(0, 100), Is.EqualTo("789"));
        Assert.That(bed.ReadText(0, 100), Is.Empty);
    }

    [Test]
    public void Input_from_a_file_is_found_again_if_the_resume_does_not_bring_it()
    {
        using var bed = new WasiBed();
        string path = Path.Combine(bed.Folder, "input.txt");
        File.WriteAllText(path, "0123456789");
        var input = new FileStream(path, FileMode.Open, FileAccess.Read);
        Stream current = input;
        bed.Streams = () => (current, bed.Output, bed.Error);
        bed.Start();
        bed.ReadText(0, 3);
        bed.Checkpoint();
        bed.Kill();
        input.Dispose();
        current = new MemoryStream();
        bed.Resume();
        if (OperatingSystem.IsLinux())
        {
            Assert.That(bed.ReadText(0, 3), Is.EqualTo("345"));
        }

        bed.Kill();
        File.Delete(path);
        bed.Resume();
        Assert.That(bed.Diagnostics, Has.Some.Contains("input.txt"));
        Assert.That(bed.ReadText(0, 3), Is.Empty);
    }

    [Test]
    public void Waiting_for_input_is_interrupted_and_loses_nothing()
    {
        using var bed = new WasiBed();
        using var server = new AnonymousPipeServerStream(PipeDirection.Out);
        using var client = new AnonymousPipeClientStream(PipeDirection.In, server.ClientSafePipeHandle);
        bed.Streams = () => (client, bed.Output, bed.Error);
        bed.Start();
        ulong buffer = bed.Scratch(100);
        ulong vector = bed.PutVector(buffer, 4);
        bed.Host.Interrupt();
        Assert.That(bed.TryCall("fd_read", out _, 0, vector, 1, buffer + 50), Is.EqualTo(HostOutcome.Retry));
        server.Write("abcdefgh"u8);
        Assert.That(bed.Call("fd_read", 0, vector, 1, buffer + 50), Is.EqualTo(Errno.Success));
        string got = Encoding.UTF8.GetString(bed.Get(buffer, (int)bed.GetU32(buffer + 50)));
        got += bed.ReadText(0, 100);
        Assert.That(got, Is.EqualTo("abcdefgh"));
        server.Dispose();
        Assert.That(bed.ReadText(0, 10), Is.Empty);
        Assert.That(bed.ReadText(0, 10), Is.Empty);
    }

    [Test]
    public void Input_read_ahead_of_the_program_is_part_of_the_checkpoint()
    {
        using var bed = new WasiBed();
        Stream input = new MemoryStream("abcdef"u8.ToArray());
        bed.Streams = () => (input, bed.Output, bed.Error);
        bed.Start();

        // Polling reads ahead.
        byte[] subscription = new byte[48];
        subscription[8] = (byte)EventType.FdRead;
        Assert.That(bed.Call("poll_oneoff", bed.Put(subscription), bed.Scratch(32), 1, bed.Scratch(4)), Is.EqualTo(Errno.Success));
        Assert.That(bed.ReadText(0, 2), Is.EqualTo("ab"));
        bed.Checkpoint();
        input = new MemoryStream("!"u8.ToArray());
        bed.KillAndResume();
        Assert.That(bed.ReadText(0, 100), Is.EqualTo("cdef"));
        Assert.That(bed.ReadText(0, 100), Is.EqualTo("!"));
    }

    private static string Text(MemoryStream stream) => Encoding.UTF8.GetString(stream.ToArray());
}
