using System.Security.Cryptography;
using System.Text;
using Everheap.Vm.Tests.Guests;

namespace Everheap.Vm.Benchmarks.Running;

/// <summary>Compares what a program gave with what it must give: a peer that is fast and wrong is not measured.</summary>
internal static class ExpectedResults
{
    private const int ExcerptLength = 200;

    /// <summary>Says in what the results differ; null if in nothing.</summary>
    public static string? Difference(GuestCase program, int exitCode, byte[] output, IReadOnlyList<DirectoryMapping> directories)
    {
        if (exitCode != program.ExitCode)
        {
            return $"exit code {exitCode} instead of {program.ExitCode};";
        }

        if (!WithoutVaryingLine(output, program.VaryingLinePrefix).AsSpan().SequenceEqual(program.ExpectedOutput()))
        {
            return $"printed \"{Encoding.UTF8.GetString(output.AsSpan(0, Math.Min(output.Length, ExcerptLength)))}\" instead of what is expected;";
        }

        string Host(string guestPath)
        {
            DirectoryMapping mapping = directories.First(candidate => guestPath.StartsWith(candidate.GuestPath + "/", StringComparison.Ordinal));
            return Path.Combine(mapping.HostPath, guestPath[(mapping.GuestPath.Length + 1)..]);
        }

        foreach (GuestFile file in program.Files)
        {
            if (!File.Exists(Host(file.GuestPath)) || !IsExpected(file, File.ReadAllBytes(Host(file.GuestPath))))
            {
                return $"the file {file.GuestPath} is missing, or not as expected;";
            }
        }

        return program.Gone.FirstOrDefault(path => File.Exists(Host(path))) is { } left ? $"the file {left} is still there;" : null;
    }

    private static bool IsExpected(GuestFile file, byte[] contents) =>
        (file.Bytes is null || contents.Length == file.Bytes)
        && (file.Sha256 is null || Convert.ToHexStringLower(SHA256.HashData(contents)) == file.Sha256)
        && (file.SameAs is null || contents.AsSpan().SequenceEqual(File.ReadAllBytes(file.SameAs)));

    private static byte[] WithoutVaryingLine(byte[] output, string? prefix) => prefix is null
        ? output
        : Encoding.UTF8.GetBytes(string.Join('\n', Encoding.UTF8.GetString(output).Split('\n').Where(line => !line.StartsWith(prefix, StringComparison.Ordinal))));
}
