using System.IO.Pipes;
using System.Text;
using Everheap.Vm.Wasi;
using Everheap.Vm.Wasi.Streams;

namespace Everheap.Vm.Tests.Wasi;

/// <summary>
/// Output is shown exactly once, whenever the process dies. A program is a list of writes; a kill takes it back to the write at which
/// its last durable checkpoint was made.
/// </summary>
internal sealed class OutputReleaseTests
{
    private const int Seeds = 12;
    private const int Writes = 60;

    [Test]
    public void Output_to_a_file_is_exact_whenever_the_process_is_killed([Range(1, Seeds)] int seed)
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Ignore("The place in the file is known on Linux only.");
        }

        using var bed = new WasiBed();
        string path = Path.Combine(bed.Folder, "out.txt");
        File.WriteAllText(path, "before\n");
        FileStream? output = null;
        bed.Streams = () =>
        {
            output?.Dispose();
            output = new FileStream(path, FileMode.Append, FileAccess.Write);
            return (Stream.Null, output, seed % 2 == 0 ? output : bed.Error);
        };
        var script = Script(new Random(seed), bothStreams: seed % 2 == 0);
        RunWithKills(bed, script, new Random(seed * 31), killInPieces: true);
        output!.Dispose();
        Assert.That(File.ReadAllText(path), Is.EqualTo("before\n" + Expected(script, 0)));
    }

    [Test]
    public void Output_to_a_stream_is_exact_if_the_kill_is_not_between_a_piece_and_its_note([Range(1, Seeds)] int seed)
    {
        using var bed = new WasiBed();
        var script = Script(new Random(seed), bothStreams: true);
        RunWithKills(bed, script, new Random(seed * 31), killInPieces: false);
        Assert.That(Encoding.UTF8.GetString(bed.Output.ToArray()), Is.EqualTo(Expected(script, 1)));
        Assert.That(Encoding.UTF8.GetString(bed.Error.ToArray()), Is.EqualTo(Expected(script, 2)));
    }

    [Test]
    public void Output_to_a_stream_repeats_at_most_the_one_piece_that_was_not_noted()
    {
        using var bed = new WasiBed().Start();
        string text = string.Concat(Enumerable.Range(0, 2000).Select(static i => $"{i:000000}\n"));
        bed.Write(1, text);
        long number = bed.CommitOnly();
        int pieces = 0;
        bed.AfterOutputPiece = () =>
        {
            if (++pieces == 2)
            {
                throw new SimulatedKillException();
            }
        };
        Assert.That(() => bed.Host.Release(number), Throws.TypeOf<SimulatedKillException>());
        bed.AfterOutputPiece = null;
        bed.KillAndResume();
        string piece = text.Substring(OutputSink.PipePieceBytes, OutputSink.PipePieceBytes);
        Assert.That(Encoding.UTF8.GetString(bed.Output.ToArray()), Is.EqualTo(text.Insert(2 * OutputSink.PipePieceBytes, piece)));
    }

    [Test]
    public void What_was_committed_and_not_shown_is_shown_at_resume_before_the_program_runs()
    {
        using var bed = new WasiBed().Start();
        bed.Write(1, "owed");
        bed.CommitOnly();
        bed.KillAndResume();
        Assert.That(Encoding.UTF8.GetString(bed.Output.ToArray()), Is.EqualTo("owed"));
        bed.KillAndResume();
        Assert.That(Encoding.UTF8.GetString(bed.Output.ToArray()), Is.EqualTo("owed"));
    }

    [Test]
    public void A_resume_into_another_file_goes_on_there()
    {
        using var bed = new WasiBed();
        int life = 0;
        FileStream? output = null;
        bed.Streams = () =>
        {
            output?.Dispose();
            output = new FileStream(Path.Combine(bed.Folder, $"out{life++}.txt"), FileMode.Create, FileAccess.Write);
            return (Stream.Null, output, bed.Error);
        };
        bed.Start();
        bed.Write(1, "one ");
        bed.Checkpoint();
        bed.KillAndResume();
        bed.Write(1, "two ");
        bed.Checkpoint();
        bed.Write(1, "three");
        bed.Finish();
        output!.Dispose();
        Assert.That(File.ReadAllText(Path.Combine(bed.Folder, "out0.txt")), Is.EqualTo("one "));
        Assert.That(File.ReadAllText(Path.Combine(bed.Folder, "out1.txt")), Is.EqualTo("two three"));
    }

    [Test]
    public void A_closed_output_stops_the_program_and_what_it_owes_is_shown_later()
    {
        using var bed = new WasiBed();
        var server = new AnonymousPipeServerStream(PipeDirection.In);
        var client = new AnonymousPipeClientStream(PipeDirection.Out, server.ClientSafePipeHandle);
        Stream output = client;
        bed.Streams = () => (Stream.Null, output, bed.Error);
        bed.Start();
        bed.Write(1, "nobody reads this");
        server.Dispose();
        server.DisposeLocalCopyOfClientHandle();
        bed.Checkpoint();
        Assert.That(() => bed.Write(1, "more"), Throws.TypeOf<OutputClosedException>());
        Assert.That(() => bed.Host.Finish(), Throws.TypeOf<OutputClosedException>());
        bed.Kill();
        output = bed.Output;
        bed.Resume();
        Assert.That(Encoding.UTF8.GetString(bed.Output.ToArray()), Is.EqualTo("nobody reads this"));
        client.Dispose();
    }

    [Test]
    public void A_slow_reader_holds_up_neither_checkpoints_nor_a_suspension()
    {
        using var bed = new WasiBed { ReleaseOnThread = true };
        using var server = new AnonymousPipeServerStream(PipeDirection.In);
        using var client = new AnonymousPipeClientStream(PipeDirection.Out, server.ClientSafePipeHandle);
        bed.Streams = () => (Stream.Null, client, bed.Error);
        bed.Start();
        string text = string.Concat(Enumerable.Range(0, 60_000).Select(static i => $"{i:000000}\n"));
        Assert.That(bed.Write(1, text), Is.EqualTo(Errno.Success));
        bed.Checkpoint();
        bed.Checkpoint();
        bed.Host.Finish(TimeSpan.FromMilliseconds(1));

        // Only now does anybody read.
        byte[] read = new byte[text.Length];
        server.ReadExactly(read);
        bed.Host.Finish();
        Assert.That(Encoding.ASCII.GetString(read) == text);
    }

    [Test]
    public void Finish_waits_for_the_release_thread()
    {
        using var bed = new WasiBed { ReleaseOnThread = true }.Start();
        for (int i = 0; i < 100; i++)
        {
            bed.Write(1, $"line {i}\n");
            if (i % 10 == 0)
            {
                bed.Checkpoint();
            }
        }

        bed.Finish();
        Assert.That(Encoding.UTF8.GetString(bed.Output.ToArray()), Is.EqualTo(string.Concat(Enumerable.Range(0, 100).Select(static i => $"line {i}\n"))));
    }

    private static List<(int Stream, string Text)> Script(Random random, bool bothStreams)
    {
        var script = new List<(int, string)>();
        for (int i = 0; i < Writes; i++)
        {
            int length = random.Next(10) == 0 ? random.Next(60_000, 150_000) : random.Next(0, 300);
            script.Add((bothStreams && random.Next(3) == 0 ? 2 : 1, $"<{i}:" + new string((char)('a' + (i % 26)), length) + ">\n"));
        }

        return script;
    }

    private static string Expected(List<(int Stream, string Text)> script, int stream) =>
        string.Concat(script.Where(write => stream == 0 || write.Stream == stream).Select(static write => write.Text));

    private static void RunWithKills(WasiBed bed, List<(int Stream, string Text)> script, Random random, bool killInPieces)
    {
        bed.Start();
        int position = 0;
        int committed = 0;
        int piecesLeft = int.MaxValue;
        bed.AfterOutputPiece = () =>
        {
            if (killInPieces && --piecesLeft == 0)
            {
                throw new SimulatedKillException();
            }
        };
        for (int kills = 0; position < script.Count || committed < script.Count;)
        {
            piecesLeft = killInPieces && kills < 30 ? random.Next(1, 12) : int.MaxValue;
            try
            {
                if (position < script.Count && random.Next(4) != 0)
                {
                    var (stream, text) = script[position];
                    Assert.That(bed.Write((uint)stream, text), Is.EqualTo(Errno.Success));
                    position++;
                    continue;
                }

                long number = bed.CommitOnly();
                committed = position;
                if (kills < 30 && random.Next(3) == 0)
                {
                    throw new SimulatedKillException();
                }

                bed.Host.Release(number);
                if (kills < 30 && random.Next(3) == 0)
                {
                    throw new SimulatedKillException();
                }
            }
            catch (SimulatedKillException)
            {
                kills++;
                position = committed;
                bed.Kill();
                ResumeWithKills(bed, ref piecesLeft, random);
            }
        }

        piecesLeft = int.MaxValue;
        bed.Finish();
    }

    private static void ResumeWithKills(WasiBed bed, ref int piecesLeft, Random random)
    {
        for (int attempt = 0; ; attempt++)
        {
            piecesLeft = attempt < 3 ? random.Next(1, 8) : int.MaxValue;
            try
            {
                bed.Resume();
                return;
            }
            catch (SimulatedKillException)
            {
                bed.Kill();
            }
        }
    }
}
