using System.IO.Pipelines;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using Everheap.Engine;
using Everheap.Engine.Transfer;

namespace Everheap.Cli.Transfer;

/// <summary>Sends a checkpoint to a receiver that listens: over TLS, to the right receiver only, from where an earlier attempt broke off, and until it is durable there.</summary>
internal sealed class SendingConnection(TransferAddress address, SharedToken token, byte[]? fingerprint, IProgress<TransferProgress> progress)
{
    /// <summary>How long a receiver that hangs up may take to say why.</summary>
    private static readonly TimeSpan LastWordsPatience = TimeSpan.FromSeconds(5);

    private string? _certificateComplaint;

    /// <summary>Sends.</summary>
    /// <param name="from">The checkpoint it is based on; null to send it whole.</param>
    /// <param name="to">The checkpoint.</param>
    /// <param name="options">How; the receiver says where to start.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>What came of it, for people.</returns>
    /// <exception cref="CommandException">There is no connection, it was lost, or the receiver is the wrong one or refuses.</exception>
    public async Task<string> SendAsync(HeapSnapshot? from, HeapSnapshot to, SendOptions options, CancellationToken cancellation)
    {
        try
        {
            using var client = new TcpClient();
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            patience.CancelAfter(TransferProtocol.Patience);
            await client.ConnectAsync(address.Host!, address.Port, patience.Token).ConfigureAwait(false);
            KeepAlive.Set(client.Client);
            await using var tls = new SslStream(client.GetStream(), leaveInnerStreamOpen: false);
            await AuthenticateAsync(tls, patience.Token).ConfigureAwait(false);
            await ProveAsync(tls, patience.Token).ConfigureAwait(false);
            patience.CancelAfter(Timeout.InfiniteTimeSpan);
            return await SendAsync(tls, from, to, options, cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw Lost($"nothing came from it for {TransferProtocol.Patience.TotalSeconds} seconds");
        }
        catch (AuthenticationException exception)
        {
            throw new CommandException(ExitCode.Transfer, _certificateComplaint ?? $"{address}: no TLS connection: {exception.Message}");
        }
        catch (Exception exception) when (exception is SocketException or IOException or InvalidDataException)
        {
            throw Lost(exception.Message);
        }
    }

    private Task AuthenticateAsync(SslStream tls, CancellationToken cancellation) => tls.AuthenticateAsClientAsync(
        new SslClientAuthenticationOptions
        {
            TargetHost = address.Host,
            RemoteCertificateValidationCallback = (_, certificate, _, errors) =>
            {
                if (certificate is null)
                {
                    return false;
                }

                byte[] hash = TransferCertificate.HashOf(certificate);
                if (fingerprint is null ? errors == SslPolicyErrors.None : CryptographicOperations.FixedTimeEquals(hash, fingerprint))
                {
                    return true;
                }

                string found = TransferCertificate.FingerprintOf(certificate);
                _certificateComplaint = fingerprint is null
                    ? $"{address}: the system does not trust the receiver's certificate ({errors}); if the receiver shows the fingerprint {found}, give it with --fingerprint"
                    : $"{address}: the receiver's certificate has another fingerprint, {found}: it is not the one that was named, or has a new certificate";
                return false;
            },
        },
        cancellation);

    /// <summary>Each side proves to the other that it has the token, the sender first.</summary>
    private async Task ProveAsync(SslStream tls, CancellationToken cancellation)
    {
        byte[] greeting = await TransferProtocol.ReadAsync(tls, TransferProtocol.MagicBytes + SharedToken.NonceBytes, cancellation).ConfigureAwait(false);
        if (!greeting.AsSpan().StartsWith(TransferProtocol.ReceiverMagic))
        {
            throw new CommandException(ExitCode.Transfer, $"{address}: what listens there is no 'everheap receive' of this version");
        }

        byte[] certificate = TransferCertificate.HashOf(tls.RemoteCertificate!);
        byte[] receiverNonce = greeting[TransferProtocol.MagicBytes..];
        byte[] senderNonce = RandomNumberGenerator.GetBytes(SharedToken.NonceBytes);
        byte[] proof = token.Prove(TransferProtocol.SenderRole, receiverNonce, senderNonce, certificate);
        await TransferProtocol.WriteAsync(tls, (byte[])[.. TransferProtocol.SenderMagic, .. senderNonce, .. proof], cancellation).ConfigureAwait(false);
        byte[] answer;
        try
        {
            answer = await TransferProtocol.ReadAsync(tls, SharedToken.ProofBytes, cancellation).ConfigureAwait(false);
        }
        catch (IOException)
        {
            throw new CommandException(ExitCode.Transfer, $"{address}: the receiver has another token, or has stopped; both sides need the same --token-file");
        }

        if (!token.Accepts(answer, TransferProtocol.ReceiverRole, receiverNonce, senderNonce, certificate))
        {
            throw new CommandException(ExitCode.Transfer, $"{address}: the receiver does not know the token: nothing was sent to it");
        }
    }

    private async Task<string> SendAsync(SslStream tls, HeapSnapshot? from, HeapSnapshot to, SendOptions options, CancellationToken cancellation)
    {
        var transfer = new TransferResumePoint(to.Checkpoint.ContentId, from?.Checkpoint.ContentId ?? Guid.Empty, 0);
        await TransferProtocol.WriteOfferAsync(tls, new Offer(to.HeapName, transfer), cancellation).ConfigureAwait(false);
        Answer answer = await TransferProtocol.ReadAnswerAsync(tls, cancellation).ConfigureAwait(false);
        switch (answer.Kind)
        {
            case AnswerKind.Present:
                return $"is at {address} already";
            case AnswerKind.GoOn when answer.NextPage <= PersistentHeap.AddressSpaceBytes >> PersistentHeap.PageShift:
                break;
            default:
                throw Refused(answer);
        }

        // The receiver may refuse the stream before it is complete.
        using var sending = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        Task<Answer> outcome = TransferProtocol.ReadAnswerAsync(tls, cancellation);
        PipeWriter writer = PipeWriter.Create(tls, new StreamPipeWriterOptions(leaveOpen: true));
        options = options with { ResumeFrom = transfer with { NextPage = answer.NextPage } };
        Task<TransferProgress> send = HeapTransfer.SendAsync(from, to, writer, options, progress, sending.Token);
        if (await Task.WhenAny(send, outcome).ConfigureAwait(false) == outcome)
        {
            await sending.CancelAsync().ConfigureAwait(false);
        }

        try
        {
            await send.ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is IOException || (failure is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            // The answer, if there is one, says more.
            await Task.WhenAny(outcome, Task.Delay(LastWordsPatience, cancellation)).ConfigureAwait(false);
            if (!outcome.IsCompletedSuccessfully)
            {
                throw;
            }
        }

        answer = await outcome.ConfigureAwait(false);
        return answer.Kind == AnswerKind.Received
            ? $"sent to {address}, {ByteSize.Format(send.Result.Bytes)}, and durable there"
            : throw Refused(answer);
    }

    private CommandException Refused(Answer answer) => new(ExitCode.Transfer, $"{address} refuses: {answer.Text}");

    private CommandException Lost(string reason) => new(
        ExitCode.Transfer, $"{address}: no connection, or it was lost ({reason}); the receiver keeps what it got: the same command goes on from there");
}
