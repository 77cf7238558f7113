namespace Everheap.Vm.Wasi.Streams;

/// <summary>
/// Shows output that is covered by a durable checkpoint, and keeps the note of how far that went. Invariants: bytes of a stream are
/// shown in order, each once; the note is written right after each piece, so that it is behind by at most one piece.
/// </summary>
/// <remarks>
/// Where a stream goes to a regular file, the file's length tells exactly how much arrived, whatever the moment of a kill. For pipes and
/// terminals a kill between a write and its note repeats that one piece (at most <see cref="OutputSink.PipePieceBytes"/>).
/// </remarks>
internal sealed class OutputReleaser
{
    private readonly Lock _gate = new();
    private readonly OutputSink[] _sinks;
    private readonly ReleaseNote _note;
    private readonly ulong[] _shown = new ulong[2];
    private OutputPosition _head;

    /// <summary>Called after each piece is written and before its note is: a test's place for a kill.</summary>
    internal Action? AfterPiece { get; init; }

    private OutputReleaser(OutputSink output, OutputSink error, ReleaseNote note)
    {
        _sinks = [output, error];
        _note = note;
    }

    /// <summary>Everything before this place was shown. Any thread.</summary>
    public OutputPosition Head
    {
        get
        {
            lock (_gate)
            {
                return _head;
            }
        }
    }

    /// <summary>Starts a new program's output.</summary>
    /// <param name="output">Where standard output goes.</param>
    /// <param name="error">Where standard error goes.</param>
    /// <param name="note">The note.</param>
    /// <param name="afterPiece">A test's place for a kill.</param>
    /// <returns>The releaser.</returns>
    public static OutputReleaser Create(OutputSink output, OutputSink error, ReleaseNote note, Action? afterPiece = null)
    {
        var releaser = new OutputReleaser(output, error, note) { AfterPiece = afterPiece };
        releaser.StartFiles([1, 2]);
        return releaser;
    }

    /// <summary>Goes on with a program's output: finds out how much of it was shown.</summary>
    /// <param name="output">Where standard output goes now.</param>
    /// <param name="error">Where standard error goes now.</param>
    /// <param name="note">The note; of an empty one, all is taken from the log.</param>
    /// <param name="head">What the heap knows to have been shown.</param>
    /// <param name="batch">What the heap holds besides.</param>
    /// <param name="afterPiece">A test's place for a kill.</param>
    /// <returns>The releaser, ready to show the batch.</returns>
    public static OutputReleaser Resume(OutputSink output, OutputSink error, ReleaseNote note, OutputPosition head, OutputBatch? batch, Action? afterPiece = null)
    {
        var releaser = new OutputReleaser(output, error, note) { AfterPiece = afterPiece, _head = head };
        for (int stream = 1; stream <= 2; stream++)
        {
            releaser._shown[stream - 1] = Math.Max(note.Of(stream).Shown, head.Of(stream));
        }

        if (output.Identity is not null && output.Identity == error.Identity)
        {
            releaser.ResumeFile([1, 2], head, batch);
        }
        else
        {
            releaser.ResumeFile([1], head, batch);
            releaser.ResumeFile([2], head, batch);
        }

        return releaser;
    }

    /// <summary>Shows a batch; bytes of it that were shown before are skipped.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="stop">Stops between pieces.</param>
    /// <exception cref="IOException">The host refuses; what was written is noted.</exception>
    /// <exception cref="OperationCanceledException">Stopped.</exception>
    public void Show(OutputBatch batch, CancellationToken stop)
    {
        var place = batch.Start;
        var rest = (ReadOnlySpan<byte>)batch.Records;
        while (!rest.IsEmpty)
        {
            OutputLog.ReadHeader(rest, out int stream, out int length);
            ShowRecord(stream, place.Of(stream), rest.Slice(OutputLog.HeaderBytes, length), stop);
            place = place.After(stream, length, OutputLog.HeaderBytes);
            rest = rest[(OutputLog.HeaderBytes + length)..];
        }

        lock (_gate)
        {
            _head = place;
        }
    }

    /// <summary>Shows bytes at once, without log and note.</summary>
    /// <param name="stream">1 or 2.</param>
    /// <param name="bytes">The bytes.</param>
    /// <returns>How many were written, at least one.</returns>
    /// <exception cref="IOException">The host refuses.</exception>
    public int ShowNow(int stream, ReadOnlySpan<byte> bytes) => _sinks[stream - 1].Write(bytes, CancellationToken.None);

    private void ShowRecord(int stream, ulong start, ReadOnlySpan<byte> bytes, CancellationToken stop)
    {
        var sink = _sinks[stream - 1];
        ref ulong shown = ref _shown[stream - 1];
        if (shown > start)
        {
            bytes = bytes[(int)Math.Min(shown - start, (ulong)bytes.Length)..];
        }

        while (!bytes.IsEmpty)
        {
            int written = sink.Write(bytes[..Math.Min(bytes.Length, sink.PieceBytes)], stop);
            AfterPiece?.Invoke();
            shown += (ulong)written;
            _note.Record(stream, _note.Of(stream) with { Shown = shown });
            bytes = bytes[written..];
        }
    }

    /// <summary>Finds out from the length of a regular file how much of some streams it has.</summary>
    private void ResumeFile(int[] streams, OutputPosition head, OutputBatch? batch)
    {
        var sink = _sinks[streams[0] - 1];
        var noted = _note.Of(streams[0]);
        bool isSame = sink.Identity is not null && Array.TrueForAll(streams, stream => _note.Of(stream) is var note && note.File == sink.Identity && note.FileStart == noted.FileStart);
        if (isSame)
        {
            long arrived = sink.FileLength - noted.FileStart;
            long least = 0;
            long most = OutputSink.FilePieceBytes;
            foreach (int stream in streams)
            {
                least += (long)head.Of(stream);
                most += (long)_shown[stream - 1];
            }

            if (arrived >= least && arrived <= most && Allot(streams, head, batch, arrived - least))
            {
                sink.Continue(noted.FileStart + arrived);
                foreach (int stream in streams)
                {
                    _note.Record(stream, noted with { Shown = _shown[stream - 1] });
                }

                return;
            }
        }

        StartFiles(streams);
    }

    /// <summary>Counts the bytes of a file as the first ones of the log, which is the order in which they were written.</summary>
    /// <returns>False, with nothing changed, if the log has fewer.</returns>
    private bool Allot(int[] streams, OutputPosition head, OutputBatch? batch, long count)
    {
        Span<ulong> shown = [head.Output, head.Error];
        var rest = (ReadOnlySpan<byte>)batch?.Records;
        while (count > 0 && !rest.IsEmpty)
        {
            OutputLog.ReadHeader(rest, out int stream, out int length);
            if (streams.Contains(stream))
            {
                long taken = Math.Min(count, length);
                shown[stream - 1] += (ulong)taken;
                count -= taken;
            }

            rest = rest[(OutputLog.HeaderBytes + length)..];
        }

        if (count > 0)
        {
            return false;
        }

        foreach (int stream in streams)
        {
            _shown[stream - 1] = shown[stream - 1];
        }

        return true;
    }

    /// <summary>Notes the regular files that streams go to from now on.</summary>
    private void StartFiles(int[] streams)
    {
        foreach (int stream in streams)
        {
            var sink = _sinks[stream - 1];
            bool isAtEnd = sink.Identity is not null && sink.FilePosition == sink.FileLength;
            long before = 0;
            for (int other = 1; other <= 2; other++)
            {
                before += _sinks[other - 1].Identity == sink.Identity ? (long)_shown[other - 1] : 0;
            }

            _note.Start(stream, new StreamNote(_shown[stream - 1], isAtEnd ? sink.Identity : null, isAtEnd ? sink.FileLength - before : 0));
        }
    }
}
