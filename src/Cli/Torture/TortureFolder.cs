using System.Globalization;

namespace Everheap.Cli.Torture;

/// <summary>
/// The one folder that a run makes in the user's, and in which all its files are. It is removed at the end, unless files were kept in it because something failed.
/// </summary>
internal sealed class TortureFolder : IDisposable
{
    /// <summary>Files are kept for so many failures; later ones are only told of, so that room stays bounded.</summary>
    private const int KeptMax = 3;

    private int _kept;

    private TortureFolder(string path, DriveInfo drive)
    {
        WorkPath = path;
        FileSystem = drive.DriveFormat;
        FreeBytes = drive.AvailableFreeSpace;
    }

    /// <summary>The folder that was made.</summary>
    public string WorkPath { get; }

    /// <summary>The type of the file system, as the system names it.</summary>
    public string FileSystem { get; }

    /// <summary>Room there was at the start, in bytes.</summary>
    public long FreeBytes { get; }

    /// <summary>Makes the folder.</summary>
    /// <param name="parent">The user's folder.</param>
    /// <param name="sizeBytes">How much room is needed.</param>
    /// <exception cref="CommandException">It cannot be made, or there is too little room.</exception>
    public static TortureFolder Create(string parent, long sizeBytes)
    {
        if (!Directory.Exists(parent))
        {
            throw new CommandException(ExitCode.File, File.Exists(parent) ? $"{parent} is a file; give a folder" : $"no such folder: {parent}; create it, or give another");
        }

        string path = Path.Combine(Path.GetFullPath(parent), string.Create(CultureInfo.InvariantCulture, $"everheap-torture-{Environment.ProcessId}"));
        if (Directory.Exists(path))
        {
            throw new CommandException(ExitCode.File, $"{path} is there already, left by an earlier run; look at it, and remove it");
        }

        try
        {
            Directory.CreateDirectory(path);
        }
        catch (Exception refusal) when (refusal is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.File, $"{parent} cannot be written to: {refusal.Message}");
        }

        var drive = new DriveInfo(Path.GetFullPath(parent));
        if (drive.AvailableFreeSpace < sizeBytes)
        {
            Directory.Delete(path);
            throw new CommandException(
                ExitCode.File, $"{parent} has {ByteSize.Format(drive.AvailableFreeSpace)} free, and {ByteSize.Format(sizeBytes)} are needed; make room, or give less with --size");
        }

        return new TortureFolder(path, drive);
    }

    /// <summary>Keeps a file for inspection.</summary>
    /// <param name="path">The file.</param>
    /// <param name="seed">The seed of the round that failed.</param>
    /// <returns>Where it is now; null if it is not kept.</returns>
    public string? Keep(string path, int seed)
    {
        if (_kept == KeptMax || !File.Exists(path))
        {
            return null;
        }

        _kept++;
        string kept = Path.Combine(WorkPath, string.Create(CultureInfo.InvariantCulture, $"failure-{_kept}-seed-{seed}-{Path.GetFileName(path)}"));
        File.Move(path, kept, overwrite: true);
        return kept;
    }

    /// <summary>Removes a round's files.</summary>
    public void Clear()
    {
        foreach (string file in Directory.EnumerateFiles(WorkPath).Where(file => !Path.GetFileName(file).StartsWith("failure-", StringComparison.Ordinal)))
        {
            File.Delete(file);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Clear();
        if (_kept == 0)
        {
            Directory.Delete(WorkPath);
        }
    }
}
