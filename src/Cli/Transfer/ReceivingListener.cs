using System.IO.Pipelines;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Everheap.Engine;
using Everheap.Engine.Transfer;

namespace Everheap.Cli.Transfer;

/// <summary>
/// Waits for a sender that has the token, and receives one checkpoint from it. Whoever has not is turned away, and a sender whose connection breaks is waited for again: it
/// goes on where it broke off.
/// </summary>
internal sealed class ReceivingListener(TransferAddress address, SharedToken token, X509Certificate2 certificate, Reception reception)
{
    /// <summary>How long what a sender still sends is thrown away, so that it gets to read why it was refused.</summary>
    private static readonly TimeSpan DrainPatience = TimeSpan.FromSeconds(10);

    private readonly byte[] _certificateHash = TransferCertificate.HashOf(certificate);

    /// <summary>Listens until a checkpoint has come.</summary>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>What came of it, for people.</returns>
    /// <exception cref="CommandException">The address cannot be listened on.</exception>
    /// <exception cref="HeapException">The checkpoint does not fit, or the stream is damaged; the sender has been told.</exception>
    public async Task<string> ReceiveAsync(CancellationToken cancellation)
    {
        using TcpListener listener = await StartAsync(cancellation).ConfigureAwait(false);
        Failure.Line($"listening on {listener.LocalEndpoint}; the certificate's fingerprint is {Convert.ToHexString(_certificateHash)}");
        while (true)
        {
            using TcpClient client = await listener.AcceptTcpClientAsync(cancellation).ConfigureAwait(false);
            EndPoint? peer = client.Client.RemoteEndPoint;
            try
            {
                KeepAlive.Set(client.Client);
                await using var tls = new SslStream(client.GetStream(), leaveInnerStreamOpen: false);
                Offer offer = await AcceptAsync(tls, cancellation).ConfigureAwait(false);
                return await ReceiveAsync(tls, offer, cancellation).ConfigureAwait(false);
            }
            catch (HeapTransferException exception) when (exception.BrokeOff)
            {
                Failure.Line($"{peer}: {exception.Message}; waiting for the sender to come again");
            }
            catch (Exception exception) when (exception is AuthenticationException or IOException or InvalidDataException or SocketException)
            {
                Failure.Line($"{peer}: turned away: {(exception is EndOfStreamException ? "it hung up" : exception.Message)}");
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                Failure.Line($"{peer}: turned away: it said nothing for {TransferProtocol.Patience.TotalSeconds} seconds");
            }
        }
    }

    private async Task<TcpListener> StartAsync(CancellationToken cancellation)
    {
        try
        {
            TcpListener listener = address.Host is null
                ? TcpListener.Create(address.Port)
                : new TcpListener((await Dns.GetHostAddressesAsync(address.Host, cancellation).ConfigureAwait(false))[0], address.Port);
            listener.Start();
            return listener;
        }
        catch (SocketException exception)
        {
            throw new CommandException(ExitCode.Transfer, $"--listen {address}: {exception.Message}; choose another port or address");
        }
    }

    /// <summary>Makes sure that the other end has the token, and hears what it has to offer.</summary>
    private async Task<Offer> AcceptAsync(SslStream tls, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(TransferProtocol.Patience);
        await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = certificate }, patience.Token).ConfigureAwait(false);
        byte[] receiverNonce = RandomNumberGenerator.GetBytes(SharedToken.NonceBytes);
        await TransferProtocol.WriteAsync(tls, (byte[])[.. TransferProtocol.ReceiverMagic, .. receiverNonce], patience.Token).ConfigureAwait(false);
        byte[] claim = await TransferProtocol.ReadAsync(tls, TransferProtocol.MagicBytes + SharedToken.NonceBytes + SharedToken.ProofBytes, patience.Token).ConfigureAwait(false);
        byte[] senderNonce = claim[TransferProtocol.MagicBytes..(TransferProtocol.MagicBytes + SharedToken.NonceBytes)];
        byte[] proof = claim[^SharedToken.ProofBytes..];
        if (!claim.AsSpan().StartsWith(TransferProtocol.SenderMagic))
        {
            throw new InvalidDataException("it is no 'everheap send' of this version");
        }

        if (!token.Accepts(proof, TransferProtocol.SenderRole, receiverNonce, senderNonce, _certificateHash))
        {
            throw new InvalidDataException("it does not know the token");
        }

        await TransferProtocol.WriteAsync(tls, token.Prove(TransferProtocol.ReceiverRole, receiverNonce, senderNonce, _certificateHash), patience.Token).ConfigureAwait(false);
        return await TransferProtocol.ReadOfferAsync(tls, patience.Token).ConfigureAwait(false);
    }

    private async Task<string> ReceiveAsync(SslStream tls, Offer offer, CancellationToken cancellation)
    {
        if (reception.Find(offer) is { } present)
        {
            await EndAsync(tls, new Answer(AnswerKind.Present, 0, present), cancellation).ConfigureAwait(false);
            return present;
        }

        await TransferProtocol.WriteAnswerAsync(tls, new Answer(AnswerKind.GoOn, reception.NextPage(offer), ""), cancellation).ConfigureAwait(false);
        PipeReader reader = PipeReader.Create(tls, new StreamPipeReaderOptions(bufferSize: Reception.BufferBytes, leaveOpen: true));
        string outcome;
        try
        {
            outcome = await reception.ReceiveAsync(reader, cancellation).ConfigureAwait(false);
        }
        catch (HeapException refusal) when (refusal is not HeapTransferException { BrokeOff: true })
        {
            await EndAsync(tls, new Answer(AnswerKind.Refused, 0, refusal.Message), cancellation).ConfigureAwait(false);
            throw;
        }

        await EndAsync(tls, new Answer(AnswerKind.Received, 0, outcome), cancellation).ConfigureAwait(false);
        return outcome;
    }

    /// <summary>Says a last word, and sees to it that it can be heard: what lies unread in a connection that is closed takes the answer with it.</summary>
    private static async Task EndAsync(SslStream tls, Answer answer, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(DrainPatience);
        try
        {
            await TransferProtocol.WriteAnswerAsync(tls, answer, patience.Token).ConfigureAwait(false);
            await tls.ShutdownAsync().ConfigureAwait(false);
            byte[] rest = new byte[Reception.BufferBytes];
            while (await tls.ReadAsync(rest, patience.Token).ConfigureAwait(false) > 0)
            {
            }
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException)
        {
            // The sender has gone, or goes on sending. What was received or refused stays so.
        }
    }
}
