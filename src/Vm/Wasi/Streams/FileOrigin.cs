using Everheap.Vm.Wasi.State;
using Microsoft.Win32.SafeHandles;

namespace Everheap.Vm.Wasi.Streams;

/// <summary>Which regular file standard input was, so that a resume without it can find it again.</summary>
/// <param name="Path">Its path on the host.</param>
/// <param name="Identity">Which file it is, whatever its name.</param>
internal sealed record FileOrigin(string Path, SinkIdentity Identity)
{
    /// <summary>Looks a file up.</summary>
    /// <param name="path">Its path.</param>
    /// <returns>The file; null if it cannot be told.</returns>
    public static FileOrigin? TryFind(string path) =>
        Native.IsAvailable && Native.TryStat(path, out var status) && status.Type == FileType.RegularFile
            ? new FileOrigin(path, new SinkIdentity(status.Device, status.Inode))
            : null;

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <param name="reader">The state.</param>
    /// <returns>The file; null if there was none.</returns>
    public static FileOrigin? Read(ref StateReader reader) =>
        reader.Bool() ? new FileOrigin(reader.String(WasiLimits.PathBytesMax), new SinkIdentity(reader.U64(), reader.U64())) : null;

    /// <summary>Writes a file's identity.</summary>
    /// <param name="writer">The state.</param>
    /// <param name="origin">The file, or null.</param>
    public static void Write(StateWriter writer, FileOrigin? origin)
    {
        writer.Bool(origin is not null);
        if (origin is not null)
        {
            writer.String(origin.Path);
            writer.U64(origin.Identity.Device);
            writer.U64(origin.Identity.Inode);
        }
    }

    /// <summary>Opens the file for reading.</summary>
    /// <returns>The handle; null if it is gone, or another file has its name.</returns>
    public SafeFileHandle? TryOpen()
    {
        if (TryFind(Path) != this)
        {
            return null;
        }

        try
        {
            return File.OpenHandle(Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
