namespace Everheap.Vm.Wasi.Files;

/// <content>Reading and writing of files.</content>
internal sealed partial class FileSystem
{
    /// <summary>Reads from a file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="offset">Where, in bytes.</param>
    /// <param name="destination">Filled from its start.</param>
    /// <returns>How many bytes; zero at the end.</returns>
    public static int Read(FileNode file, long offset, Span<byte> destination)
    {
        if (file.Content is not null)
        {
            return file.Content.Read(offset, destination);
        }

        file.HostHandle ??= HostFiles.OpenRead(HostPath(file.HostMount!, file.HostPath!));
        return HostFiles.Read(file.HostHandle, offset, destination);
    }

    /// <summary>The length of a file in bytes.</summary>
    /// <param name="file">The file.</param>
    /// <returns>The length.</returns>
    public static long Length(FileNode file) => file.Content?.Length ?? Status(file).Size;

    /// <summary>Writes to a file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="offset">Where, in bytes.</param>
    /// <param name="source">The bytes.</param>
    public void Write(FileNode file, long offset, ReadOnlySpan<byte> source)
    {
        BringIn(file);
        long before = file.Content!.Length;
        file.Content.Write(offset, source);
        file.Pending?.Written(offset, source.Length, file.Content.Length > before);
        file.ModificationTime = file.ChangeTime = _clock.Realtime;
        IsChanged = true;
    }

    /// <summary>Sets the length of a file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="length">In bytes.</param>
    public void SetLength(FileNode file, long length)
    {
        BringIn(file, keep: length > 0);
        long before = file.Content!.Length;
        file.Content.SetLength(length);
        file.Pending?.Resized(Math.Min(before, length));
        file.ModificationTime = file.ChangeTime = _clock.Realtime;
        IsChanged = true;
    }

    /// <summary>Sets the times of something.</summary>
    /// <param name="node">What.</param>
    /// <param name="access">Nanoseconds since 1970; null to leave it.</param>
    /// <param name="modification">Nanoseconds since 1970; null to leave it.</param>
    public void SetTimes(Node node, ulong? access, ulong? modification)
    {
        node.AccessTime = access ?? node.AccessTime;
        node.ModificationTime = modification ?? node.ModificationTime;
        node.ChangeTime = _clock.Realtime;
        if (node is FileNode file)
        {
            file.HasOwnTimes = true;
            if (file.HostMount is not null)
            {
                file.Pending ??= new WriteBack();
            }

            if (file.Pending is not null)
            {
                file.Pending.HasTimes = true;
            }
        }

        IsChanged = true;
    }

    /// <summary>The program's time.</summary>
    /// <returns>Nanoseconds since 1970.</returns>
    public ulong Now() => _clock.Realtime;

    /// <summary>Copies a host file's bytes into the heap, if they are not there yet.</summary>
    private void BringIn(FileNode file, bool keep = true)
    {
        if (file.Content is not null)
        {
            return;
        }

        var content = new FileContent(_heap);
        if (keep)
        {
            var status = Status(file);
            using var handle = HostFiles.OpenRead(HostPath(file.HostMount!, file.HostPath!));
            byte[] buffer = new byte[(int)Math.Clamp(status.Size, 1, CopyBytes)];
            long offset = 0;
            while (HostFiles.Read(handle, offset, buffer) is > 0 and var count)
            {
                content.Write(offset, buffer.AsSpan(0, count));
                offset += count;
            }
        }
        else if (!file.HasOwnTimes)
        {
            Status(file);
        }

        file.HostHandle?.Dispose();
        file.HostHandle = null;
        file.Content = content;
        file.HostMount = null;
        file.HostPath = null;
        file.HasOwnTimes = true;
        file.Pending ??= new WriteBack();
        IsChanged = true;
    }
}
