using System.CommandLine;
using System.Globalization;
using System.IO.Pipelines;
using Everheap.Engine;
using Everheap.Engine.Transfer;

namespace Everheap.Cli.Transfer;

/// <summary><c>everheap send</c>: a checkpoint as a stream, on standard output or to a receiver that listens.</summary>
internal static class SendCommand
{
    /// <summary>The command's name.</summary>
    public const string Name = "send";

    /// <summary>Memory for the pages of each of the two checkpoints that are read.</summary>
    private const long ResidentBytes = 8L << 20;

    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        var file = new Argument<string>("FILE") { Description = "The heap file; it is only read, also while a program runs in it." };
        var heap = new Option<string?>("--heap") { HelpName = "NAME", Description = "The heap in it (default: the only one)." };
        Option<long?> checkpoint = TransferOptions.Number("--checkpoint", "Send this checkpoint (default: the latest).");
        Option<long?> from = TransferOptions.Number("--from", "Send only what differs from this checkpoint, which the receiver has.");
        var resume = new Option<TransferResumePoint?>("--resume")
        {
            HelpName = "POINT",
            Description = "Go on with a transfer that broke off, from where the receiver says; instead of --heap,\n--checkpoint and --from.",
            CustomParser = TransferOptions.ParseResumePoint,
        };
        Option<TransferAddress?> to = TransferOptions.Address("--to", "HOST:PORT", "Send to a receiver that listens there ('receive --listen'), instead of standard output.", needsHost: true);
        Option<string?> token = TransferOptions.TokenFile();
        var fingerprint = new Option<string?>("--fingerprint")
        {
            HelpName = "SHA256",
            Description = "The receiver's certificate has this fingerprint, which the receiver shows (default: it is one\nthat the system trusts for HOST).",
            CustomParser = TransferOptions.ParseFingerprint,
        };
        var command = new Command(Name, "Send a checkpoint, or what differs between two, to another heap file.")
        {
            file, heap, checkpoint, from, resume, to, token, fingerprint,
        };
        command.SetAction(result =>
        {
            var selection = new CheckpointSelection(result.GetValue(heap), result.GetValue(checkpoint), result.GetValue(from), result.GetValue(resume));
            selection.Check();
            TransferAddress? address = result.GetValue(to);
            string? tokenFile = result.GetValue(token);
            string? certificateHash = result.GetValue(fingerprint);
            TransferOptions.CheckNetwork(Name, "--to", address, tokenFile, certificateHash is null ? null : "--fingerprint");
            return Send(result.GetRequiredValue(file), selection, address, tokenFile, certificateHash is null ? null : Convert.FromHexString(certificateHash));
        });
        return command;
    }

    private static int Send(string path, CheckpointSelection selection, TransferAddress? to, string? tokenFile, byte[]? fingerprint)
    {
        HeapFile.RequireExisting(path);
        using StandardStream? output = to is null ? StandardStream.OpenOutput() : null;
        SharedToken? token = tokenFile is null ? null : SharedToken.Read(tokenFile);
        using var termination = new Termination();
        using HeapStore store = HeapFile.OpenForReading(path, new HeapStoreOptions { ReadOnly = true, ResidentBytes = ResidentBytes }, out bool isBeingWritten);
        (HeapSnapshot? from, HeapSnapshot checkpoint, TransferResumePoint? resumeFrom) = selection.Open(path, store);

        // A program that goes on here shows its output here: what is received is a fork of it, which the note would not be true of.
        bool includesNote = !isBeingWritten && Reception.NoteBelongsTo(store, checkpoint);
        var options = new SendOptions { ResumeFrom = resumeFrom, IncludesNote = includesNote };
        using (from)
        using (checkpoint)
        using (var progress = new ProgressLine("sent"))
        {
            try
            {
                if (output is not null)
                {
                    PipeWriter writer = PipeWriter.Create(output, new StreamPipeWriterOptions(leaveOpen: true));
                    HeapTransfer.SendAsync(from, checkpoint, writer, options, progress, termination.Suspend).GetAwaiter().GetResult();
                    writer.Complete();
                    return ExitCode.Success;
                }

                var sender = new SendingConnection(to!, token!, fingerprint, progress);
                string outcome = sender.SendAsync(from, checkpoint, options, termination.Suspend).GetAwaiter().GetResult();
                progress.Clear();
                using TextWriter text = PlainOutput.Open();
                text.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{path}: heap '{checkpoint.HeapName}', checkpoint {checkpoint.CheckpointNumber}: {outcome}"));
                return ExitCode.Success;
            }
            catch (OperationCanceledException) when (termination.SignalExitCode != 0)
            {
                progress.Clear();
                Failure.Line(to is null
                    ? "stopped before the stream was complete; the receiver keeps what it got, and says how to go on"
                    : "stopped before the stream was complete; the receiver keeps what it got: the same command goes on from there");
                return termination.SignalExitCode;
            }
        }
    }
}
