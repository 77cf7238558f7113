using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Everheap.Cli.Transfer;

/// <summary>The certificate that a receiver shows: the user's own, or one that signs itself.</summary>
internal static class TransferCertificate
{
    private const int YearsValid = 20;

    /// <summary>The certificate of a file; where there is no such file, one is made and kept there. Without a path, one for this run alone.</summary>
    /// <param name="path">A PKCS #12 file without a password; or null.</param>
    /// <returns>The certificate, with its key.</returns>
    /// <exception cref="CommandException">The file holds no certificate with a key.</exception>
    public static X509Certificate2 Load(string? path)
    {
        if (path is null)
        {
            return Import(Create());
        }

        if (!File.Exists(path))
        {
            byte[] created = Create();
            WritePrivately(path, created);
            return Import(created);
        }

        X509Certificate2 certificate;
        try
        {
            certificate = X509CertificateLoader.LoadPkcs12FromFile(path, password: null);
        }
        catch (CryptographicException exception)
        {
            throw new CommandException(ExitCode.File, $"{path}: not a PKCS #12 file (PFX) without a password: {exception.Message}");
        }

        if (certificate.HasPrivateKey)
        {
            return certificate;
        }

        certificate.Dispose();
        throw new CommandException(ExitCode.File, $"{path}: the certificate has no private key; export it with its key");
    }

    /// <summary>What identifies a certificate, for people: SHA-256, in hexadecimal digits.</summary>
    /// <param name="certificate">The certificate.</param>
    /// <returns>64 digits.</returns>
    public static string FingerprintOf(X509Certificate certificate) => Convert.ToHexString(HashOf(certificate));

    /// <summary>SHA-256 of a certificate.</summary>
    /// <param name="certificate">The certificate.</param>
    /// <returns>The hash.</returns>
    public static byte[] HashOf(X509Certificate certificate) => SHA256.HashData(certificate.GetRawCertData());

    private static byte[] Create()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=everheap", key, HashAlgorithmName.SHA256);
        DateTimeOffset now = DateTimeOffset.UtcNow;
        using X509Certificate2 certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddYears(YearsValid));
        return certificate.Export(X509ContentType.Pkcs12);
    }

    /// <summary>Through a PKCS #12, because not every system can use a key that was never stored.</summary>
    private static X509Certificate2 Import(byte[] pkcs12) => X509CertificateLoader.LoadPkcs12(pkcs12, password: null);

    private static void WritePrivately(string path, byte[] bytes)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using var file = new FileStream(path, options);
        file.Write(bytes);
    }
}
