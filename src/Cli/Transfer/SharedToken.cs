using System.Security.Cryptography;
using System.Text;

namespace Everheap.Cli.Transfer;

/// <summary>
/// The secret that sender and receiver share. It never goes over the wire: each side proves that it has it, for this connection alone, with a keyed hash over what
/// both have chosen at random and over the receiver's certificate, so that a proof is of no use to whoever stands in between.
/// </summary>
internal sealed class SharedToken
{
    /// <summary>Bytes that each side chooses at random.</summary>
    public const int NonceBytes = 32;

    /// <summary>Bytes of a proof.</summary>
    public const int ProofBytes = HMACSHA256.HashSizeInBytes;

    private const int BytesMin = 16;
    private const int BytesMax = 4096;

    private readonly byte[] _secret;

    private SharedToken(byte[] secret) => _secret = secret;

    /// <summary>Reads a token file; white space around the token does not count.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The token.</returns>
    /// <exception cref="CommandException">There is no such file, or too little or too much in it.</exception>
    public static SharedToken Read(string path)
    {
        if (!File.Exists(path))
        {
            throw new CommandException(ExitCode.File, $"no such file: {path}; put a secret in it, the same for sender and receiver (for example: openssl rand -hex 32)");
        }

        using FileStream file = File.OpenRead(path);
        byte[] bytes = new byte[BytesMax + 1];
        int length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        byte[] token = bytes.AsSpan(0, length).Trim(" \t\r\n"u8).ToArray();
        return token.Length is >= BytesMin and <= BytesMax
            ? new SharedToken(token)
            : throw new CommandException(ExitCode.File, $"{path}: a token has {BytesMin} to {BytesMax} bytes, and this one {token.Length}{(length > BytesMax ? " or more" : "")}");
    }

    /// <summary>Proves that one has the token.</summary>
    /// <param name="role">Who proves it.</param>
    /// <param name="receiverNonce">What the receiver chose.</param>
    /// <param name="senderNonce">What the sender chose.</param>
    /// <param name="certificateHash">SHA-256 of the receiver's certificate.</param>
    /// <returns>The proof.</returns>
    public byte[] Prove(string role, ReadOnlySpan<byte> receiverNonce, ReadOnlySpan<byte> senderNonce, ReadOnlySpan<byte> certificateHash) =>
        HMACSHA256.HashData(_secret, (byte[])[.. Encoding.ASCII.GetBytes(role), .. receiverNonce, .. senderNonce, .. certificateHash]);

    /// <summary>Checks a proof, in a time that does not tell how much of it is right.</summary>
    /// <param name="proof">The proof.</param>
    /// <param name="role">Who proves it.</param>
    /// <param name="receiverNonce">What the receiver chose.</param>
    /// <param name="senderNonce">What the sender chose.</param>
    /// <param name="certificateHash">SHA-256 of the receiver's certificate.</param>
    /// <returns>Whether it is right.</returns>
    public bool Accepts(ReadOnlySpan<byte> proof, string role, ReadOnlySpan<byte> receiverNonce, ReadOnlySpan<byte> senderNonce, ReadOnlySpan<byte> certificateHash) =>
        CryptographicOperations.FixedTimeEquals(proof, Prove(role, receiverNonce, senderNonce, certificateHash));
}
