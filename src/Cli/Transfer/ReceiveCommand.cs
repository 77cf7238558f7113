using System.CommandLine;
using System.IO.Pipelines;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Everheap.Engine;
using Everheap.Engine.Transfer;

namespace Everheap.Cli.Transfer;

/// <summary><c>everheap receive</c>: takes what <c>send</c> sends, from standard input or by listening for it.</summary>
internal static class ReceiveCommand
{
    /// <summary>The command's name.</summary>
    public const string Name = "receive";

    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        var file = new Argument<string>("FILE") { Description = "The heap file; it is made if there is none." };
        var heap = new Option<string?>("--heap") { HelpName = "NAME", Description = "The heap in it that is to have the checkpoint (default: named as the sender's)." };
        Option<TransferAddress?> listen = TransferOptions.Address(
            "--listen", "[HOST:]PORT", "Wait there for 'send --to', instead of reading standard input; without HOST on every address\nof this machine, with port 0 on any port that is free.", needsHost: false);
        Option<string?> token = TransferOptions.TokenFile();
        var certificate = new Option<string?>("--certificate")
        {
            HelpName = "PFX",
            Description = "The certificate to show, with its key (PKCS #12 without a password). If there is no such file,\none is made and kept there (default: a new one each time).",
        };
        var unfinished = new Option<bool>("--unfinished") { Description = "Receive nothing; list what broke off, and where to go on." };
        var abandon = new Option<bool>("--abandon") { Description = "Receive nothing; drop what broke off (of --heap alone, if that is given)." };
        var command = new Command(Name, "Receive what 'send' sends, as a new heap or as a heap's next checkpoint.")
        {
            file, heap, listen, token, certificate, unfinished, abandon,
        };
        command.SetAction(result =>
        {
            string path = result.GetRequiredValue(file);
            string? heapName = result.GetValue(heap);
            TransferAddress? address = result.GetValue(listen);
            string? tokenFile = result.GetValue(token);
            string? certificateFile = result.GetValue(certificate);
            TransferOptions.CheckNetwork(Name, "--listen", address, tokenFile, certificateFile is null ? null : "--certificate");
            if (heapName is not null && Encoding.UTF8.GetByteCount(heapName) is 0 or > HeapStore.HeapNameBytesMax)
            {
                throw new CommandException(ExitCode.Usage, $"--heap {heapName}: expected a name of 1 to {HeapStore.HeapNameBytesMax} bytes; see: everheap receive --help");
            }

            bool lists = result.GetValue(unfinished);
            bool drops = result.GetValue(abandon);
            if ((lists && drops) || ((lists || drops) && address is not null))
            {
                throw new CommandException(ExitCode.Usage, "--unfinished and --abandon stand alone; see: everheap receive --help");
            }

            return lists ? UnfinishedReceives.List(path)
                : drops ? UnfinishedReceives.Abandon(path, heapName)
                : Receive(path, heapName, address, tokenFile, certificateFile);
        });
        return command;
    }

    private static int Receive(string path, string? heapName, TransferAddress? address, string? tokenFile, string? certificateFile)
    {
        if (Directory.Exists(path))
        {
            throw new CommandException(ExitCode.File, $"{path} is a folder; give the path of a heap file");
        }

        // Everything that can be wrong with the command line, before a file is made.
        using StandardStream? input = address is null ? StandardStream.OpenInput() : null;
        SharedToken? token = tokenFile is null ? null : SharedToken.Read(tokenFile);
        using X509Certificate2? certificate = address is null ? null : TransferCertificate.Load(certificateFile);
        using var termination = new Termination();
        bool isNew = !File.Exists(path);
        var options = new HeapStoreOptions { ResidentBytes = Reception.ResidentBytes };
        HeapStore store = HeapStore.OpenOrCreate(path, options);
        try
        {
            HeapFile.ReportSkippedRoots(path, store);
            using var progress = new ProgressLine("received");
            var reception = new Reception(path, store, heapName, progress);
            try
            {
                if (input is null)
                {
                    string outcome = new ReceivingListener(address!, token!, certificate!, reception).ReceiveAsync(termination.Suspend).GetAwaiter().GetResult();
                    progress.Clear();
                    Show(outcome);
                }
                else
                {
                    ReceiveAll(input, reception, progress, termination.Suspend);
                }

                return ExitCode.Success;
            }
            catch (OperationCanceledException) when (termination.SignalExitCode != 0)
            {
                progress.Clear();
                Failure.Line("stopped before the stream was complete" + UnfinishedReceives.Advice(store, path));
                return termination.SignalExitCode;
            }
            catch (HeapTransferException exception)
            {
                progress.Clear();
                throw new CommandException(ExitCode.Transfer, exception.Message.TrimEnd('.') + UnfinishedReceives.Advice(store, path));
            }
        }
        finally
        {
            bool isEmpty = isNew && store.HeapNames.Count == 0 && HeapTransfer.GetUnfinished(store).Count == 0;
            store.Dispose();
            if (isEmpty)
            {
                File.Delete(path); // It was made for what did not come.
            }
        }
    }

    /// <summary>Streams may follow each other, as when files with a checkpoint and differences are joined.</summary>
    private static void ReceiveAll(StandardStream input, Reception reception, ProgressLine progress, CancellationToken cancellation)
    {
        PipeReader reader = PipeReader.Create(input, new StreamPipeReaderOptions(bufferSize: Reception.BufferBytes, leaveOpen: true));
        do
        {
            string outcome = reception.ReceiveAsync(reader, cancellation).GetAwaiter().GetResult();
            progress.Clear();
            Show(outcome);
        }
        while (HasMore(reader, cancellation));
    }

    private static bool HasMore(PipeReader reader, CancellationToken cancellation)
    {
        ReadResult result = reader.ReadAsync(cancellation).AsTask().GetAwaiter().GetResult();
        reader.AdvanceTo(result.Buffer.Start);
        return !result.Buffer.IsEmpty;
    }

    private static void Show(string outcome)
    {
        using TextWriter output = PlainOutput.Open();
        output.WriteLine(outcome);
    }
}
