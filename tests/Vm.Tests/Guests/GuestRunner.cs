using System.Security.Cryptography;
using System.Text;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Tests.Guests;

/// <summary>Runs guest cases in process and compares everything that must come out.</summary>
internal static class GuestRunner
{
    /// <summary>Runs a case from start to end.</summary>
    /// <param name="guest">What to run.</param>
    /// <param name="captureEvery">The stack is captured and resumed at every n-th safepoint; 0 for never.</param>
    /// <param name="residentBytes">The resident budget.</param>
    /// <param name="addressing">How the memory is reached; where the stack is captured, in both ways by turns.</param>
    public static void RunAndCompare(GuestCase guest, int captureEvery = 0, long residentBytes = 128L << 20, MemoryAddressing addressing = MemoryAddressing.Automatic)
    {
        using var scratch = new ScratchFolder();
        var directories = new List<DirectoryMapping>();
        foreach (GuestDirectory directory in guest.Directories)
        {
            directories.Add(new DirectoryMapping(scratch.CreateFolder($"dir{directories.Count}", directory.From), directory.GuestPath));
        }

        using Stream input = guest.StandardInputPath is null ? Stream.Null : File.OpenRead(guest.StandardInputPath);
        using var output = new MemoryStream();
        using var error = new MemoryStream();
        var options = new ProcessOptions
        {
            ProgramName = Path.GetFileName(guest.ModulePath),
            Arguments = guest.Arguments,
            Environment = guest.Environment,
            Directories = directories,
            StandardInput = input,
            StandardOutput = output,
            StandardError = error,
            CaptureEvery = captureEvery,
            AlternatesAddressing = captureEvery > 0,
            MemoryAddressing = addressing,
            ResidentBytes = residentBytes,
        };

        ProcessOutcome outcome;
        using (Process process = Process.Create(Module.Load(guest.ModulePath), scratch.File("guest.heap"), options))
        {
            outcome = process.Run();
        }

        Compare(guest, outcome, output.ToArray(), error.ToArray(), directories);
    }

    private static void Compare(GuestCase guest, ProcessOutcome outcome, byte[] output, byte[] error, List<DirectoryMapping> directories)
    {
        string errorText = Encoding.UTF8.GetString(error);
        Assert.That(outcome.State, Is.EqualTo(ProcessState.Exited), $"{outcome.Trap?.Reason} {errorText}");
        Assert.That(outcome.ExitCode, Is.EqualTo(guest.ExitCode), errorText);
        AssertSameBytes(WithoutVaryingLine(output, guest.VaryingLinePrefix), guest.ExpectedOutput(), "standard output");

        string Host(string guestPath)
        {
            DirectoryMapping mapping = directories.First(candidate => guestPath.StartsWith(candidate.GuestPath + "/", StringComparison.Ordinal));
            return Path.Combine(mapping.HostPath, guestPath[(mapping.GuestPath.Length + 1)..]);
        }

        foreach (GuestFile file in guest.Files)
        {
            Assert.That(File.Exists(Host(file.GuestPath)), $"{file.GuestPath} is missing");
            byte[] contents = File.ReadAllBytes(Host(file.GuestPath));
            if (file.SameAs is not null)
            {
                AssertSameBytes(contents, File.ReadAllBytes(file.SameAs), file.GuestPath);
            }

            if (file.Bytes is not null)
            {
                Assert.That(contents, Has.Length.EqualTo(file.Bytes), file.GuestPath);
            }

            if (file.Sha256 is not null)
            {
                Assert.That(Convert.ToHexStringLower(SHA256.HashData(contents)), Is.EqualTo(file.Sha256), file.GuestPath);
            }
        }

        foreach (string path in guest.Gone)
        {
            Assert.That(File.Exists(Host(path)), Is.False, $"{path} is still there");
        }
    }

    private static byte[] WithoutVaryingLine(byte[] output, string? prefix)
    {
        if (prefix is null)
        {
            return output;
        }

        IEnumerable<string> kept = Encoding.UTF8.GetString(output).Split('\n').Where(line => !line.StartsWith(prefix, StringComparison.Ordinal));
        return Encoding.UTF8.GetBytes(string.Join('\n', kept));
    }

    // A whole-array assertion on megabytes would be slow and say little: the first difference says where to look.
    private static void AssertSameBytes(byte[] actual, byte[] expected, string what)
    {
        int same = actual.AsSpan().CommonPrefixLength(expected);
        if (same != expected.Length || same != actual.Length)
        {
            Assert.Fail($"{what}: {actual.Length} bytes instead of {expected.Length}, different from byte {same} on: \"{Excerpt(actual, same)}\" instead of \"{Excerpt(expected, same)}\"");
        }
    }

    private static string Excerpt(byte[] bytes, int at)
    {
        const int Before = 20, After = 60;
        int from = Math.Max(0, at - Before);
        return Encoding.UTF8.GetString(bytes, from, Math.Min(bytes.Length, at + After) - from);
    }
}
