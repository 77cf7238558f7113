using Everheap.Vm.Caching;

namespace Everheap.Vm;

/// <summary>
/// A folder on disk that keeps the compiled code of modules, and which functions of large ones were hot, so that a program that has been run before starts without validation, and without compilation to IL of what
/// it ran then.
/// </summary>
/// <remarks>
/// <para>
/// Entries are found by the SHA-256 of the module, the runtime's version and that of Everheap. They lie in a subfolder that only the user can enter, carry a checksum, and are written
/// under another name first: an entry that is damaged, of another version, or not the user's own is made anew. Any number of processes may use a folder at once. Where it cannot be
/// used (no room, no permission), nothing is kept, and nothing fails.
/// </para>
/// <para>Safe for several threads.</para>
/// </remarks>
public sealed class CodeCache
{
    /// <summary>The environment variable that names the folder of <see cref="FromEnvironment"/>, or says <see cref="Off"/>.</summary>
    public const string Variable = "EVERHEAP_CACHE";

    /// <summary>The word for no cache.</summary>
    public const string Off = "off";

    /// <summary>Bytes that a cache keeps unless it is told otherwise: 1 GiB.</summary>
    public const long DefaultBytesMax = 1L << 30;

    private readonly CacheFolder _folder;

    /// <summary>Uses a folder; it and its parents are made when the first entry is written.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="bytesMax">Bytes to keep, positive: what was used longest ago goes first.</param>
    /// <exception cref="ArgumentOutOfRangeException">The number is not positive.</exception>
    public CodeCache(string folder, long bytesMax = DefaultBytesMax)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytesMax);
        Folder = Path.GetFullPath(folder);
        _folder = new CacheFolder(Folder, bytesMax);
    }

    /// <summary>The folder.</summary>
    public string Folder { get; }

    /// <summary>Entries that were found so far, and were good.</summary>
    internal long EntriesRead => _folder.EntriesRead;

    /// <summary>Entries that were written so far.</summary>
    internal long EntriesWritten => _folder.EntriesWritten;

    /// <summary>
    /// The cache that the environment names (<see cref="Variable"/>), else one where the system keeps a user's caches: <c>$XDG_CACHE_HOME/everheap</c> or <c>~/.cache/everheap</c>,
    /// <c>~/Library/Caches/everheap</c> on macOS, <c>%LOCALAPPDATA%\Everheap\Cache</c> on Windows.
    /// </summary>
    /// <returns>The cache; null if the variable says <see cref="Off"/>, or the user has no folder.</returns>
    public static CodeCache? FromEnvironment() =>
        (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } named ? named : DefaultFolder()) is string folder && folder != Off ? new CodeCache(folder) : null;

    /// <summary>What is kept of a module.</summary>
    /// <param name="moduleBytes">The module.</param>
    internal CachedModule EntryOf(ReadOnlySpan<byte> moduleBytes) => new(_folder, CachedModule.KeyOf(moduleBytes));

    private static string? DefaultFolder()
    {
        if (OperatingSystem.IsWindows())
        {
            string local = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData);
            return local.Length > 0 ? Path.Combine(local, "Everheap", "Cache") : null;
        }

        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        if (OperatingSystem.IsMacOS())
        {
            return home.Length > 0 ? Path.Combine(home, "Library", "Caches", "everheap") : null;
        }

        // The specification of base directories: a relative path is ignored.
        string? caches = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        return Path.IsPathRooted(caches) ? Path.Combine(caches, "everheap")
            : home.Length > 0 ? Path.Combine(home, ".cache", "everheap") : null;
    }
}
