using System.Runtime.Versioning;
using System.Security.Cryptography;
using Everheap.Vm.Wasi;

namespace Everheap.Vm.Caching;

/// <summary>The files of a <see cref="CodeCache"/>: a folder for each module, a file for each entry.</summary>
/// <remarks>
/// An entry is: a magic number (8 bytes), the SHA-256 of its name and content (32), the content. The name has the module's key in it, so an entry that was put in another's place
/// does not pass either.
/// </remarks>
internal sealed class CacheFolder
{
    private const string RootName = "code-1";
    private const string TemporaryPrefix = ".new-";
    private const int HeadBytes = 8 + SHA256.HashSizeInBytes;
    private const UnixFileMode OwnerAlone = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>The folder is looked through for what can go when so much of its limit has been written.</summary>
    private const int TrimShare = 16;

    /// <summary>What is trimmed is trimmed to this share of the limit, in quarters.</summary>
    private const int KeptQuarters = 3;

    /// <summary>A file that is being written is given up by its writer after this time.</summary>
    private static readonly TimeSpan TemporaryAgeMax = TimeSpan.FromHours(1);

    private readonly string _root;
    private readonly long _bytesMax;
    private readonly Lock _gate = new();
    private long _writtenSinceTrim;
    private long _entriesRead;
    private long _entriesWritten;
    private bool _isTrimDue = true;

    public CacheFolder(string folder, long bytesMax)
    {
        _root = Path.Combine(folder, RootName);
        _bytesMax = bytesMax;
    }

    private static ReadOnlySpan<byte> Magic => "EVHCODE1"u8;

    public long EntriesRead => Interlocked.Read(ref _entriesRead);

    public long EntriesWritten => Interlocked.Read(ref _entriesWritten);

    /// <summary>Reads an entry.</summary>
    /// <param name="module">The module's key.</param>
    /// <param name="name">The entry's name.</param>
    /// <returns>Its content; null where there is none that is good.</returns>
    public byte[]? Read(string module, string name)
    {
        string path = Path.Combine(_root, module, name);
        try
        {
            if (!File.Exists(path) || !IsOwn(_root) || !IsOwn(Path.Combine(_root, module)))
            {
                return null;
            }

            byte[] bytes = File.ReadAllBytes(path);
            if (bytes.Length < HeadBytes || !bytes.AsSpan().StartsWith(Magic)
                || !bytes.AsSpan(Magic.Length, SHA256.HashSizeInBytes).SequenceEqual(HashOf(module, name, bytes.AsSpan(HeadBytes))))
            {
                return null;
            }

            Interlocked.Increment(ref _entriesRead);
            return bytes[HeadBytes..];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Writes an entry in the place of what there may be under its name, or fails silently.</summary>
    /// <param name="module">The module's key.</param>
    /// <param name="name">The entry's name.</param>
    /// <param name="content">Its content.</param>
    public void Write(string module, string name, ReadOnlySpan<byte> content)
    {
        string folder = Path.Combine(_root, module);
        string temporary = Path.Combine(folder, TemporaryPrefix + Guid.NewGuid().ToString("N"));
        try
        {
            if (!Make(_root) || !Make(folder))
            {
                return;
            }

            TrimIfDue(content.Length);
            using (FileStream file = new(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None))
            {
                file.Write(Magic);
                file.Write(HashOf(module, name, content));
                file.Write(content);
            }

            File.Move(temporary, Path.Combine(folder, name), overwrite: true);
            Interlocked.Increment(ref _entriesWritten);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // No room, or no permission: the program runs without.
            TryDelete(temporary);
        }
    }

    /// <summary>Notes that a module was used: what was used longest ago goes first.</summary>
    public void Touch(string module)
    {
        try
        {
            Directory.SetLastWriteTimeUtc(Path.Combine(_root, module), DateTime.UtcNow);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It may have gone meanwhile, or belong to a folder that cannot be written.
        }
    }

    private static byte[] HashOf(string module, string name, ReadOnlySpan<byte> content)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(System.Text.Encoding.UTF8.GetBytes(module + "/" + name + "\0"));
        hash.AppendData(content);
        return hash.GetHashAndReset();
    }

    private static bool Make(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(folder);
        }
        else if (!Directory.Exists(folder))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(folder)!);
            Directory.CreateDirectory(folder, OwnerAlone);
        }

        return IsOwn(folder);
    }

    // A profile's folders are the user's own on Windows. Elsewhere nobody else may have been able to put anything here.
    private static bool IsOwn(string folder) => OperatingSystem.IsWindows() || (Directory.Exists(folder) && IsOwnOnUnix(folder));

    [UnsupportedOSPlatform("windows")]
    private static bool IsOwnOnUnix(string folder) => Native.IsAvailable
        ? Native.TryStat(folder, out Native.FileStatus status) && status.Type == FileType.Directory && status.User == Native.UserId && (status.Permissions & ~(int)OwnerAlone) == 0
        : new DirectoryInfo(folder).LinkTarget is null && (File.GetUnixFileMode(folder) & ~OwnerAlone) == 0;

    private void TrimIfDue(long bytes)
    {
        lock (_gate)
        {
            _writtenSinceTrim += bytes;
            if (!_isTrimDue && _writtenSinceTrim < _bytesMax / TrimShare)
            {
                return;
            }

            _isTrimDue = false;
            _writtenSinceTrim = 0;
        }

        var modules = new List<(DirectoryInfo Folder, long Bytes)>();
        long total = bytes;
        foreach (DirectoryInfo folder in new DirectoryInfo(_root).EnumerateDirectories())
        {
            long size = 0;
            foreach (FileInfo file in folder.EnumerateFiles())
            {
                if (file.Name.StartsWith(TemporaryPrefix, StringComparison.Ordinal) && DateTime.UtcNow - file.LastWriteTimeUtc > TemporaryAgeMax)
                {
                    TryDelete(file.FullName);
                    continue;
                }

                size += file.Length;
            }

            modules.Add((folder, size));
            total += size;
        }

        if (total <= _bytesMax)
        {
            return;
        }

        foreach ((DirectoryInfo folder, long size) in modules.OrderBy(module => module.Folder.LastWriteTimeUtc))
        {
            if (total <= _bytesMax / 4 * KeptQuarters)
            {
                break;
            }

            foreach (FileInfo file in folder.EnumerateFiles())
            {
                TryDelete(file.FullName);
            }

            total -= size;
        }
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Another process may be at it; it is found again.
        }
    }
}
