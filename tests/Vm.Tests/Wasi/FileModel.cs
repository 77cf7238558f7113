using System.Text;

namespace Everheap.Vm.Tests.Wasi;

/// <summary>What a file operation does.</summary>
internal enum FileOperationKind
{
    WriteWhole,
    Append,
    WriteAt,
    SetLength,
    Unlink,
    MakeDirectory,
    RemoveDirectory,
    Rename,
}

/// <summary>One operation of a random program.</summary>
/// <param name="Kind">What it does.</param>
/// <param name="Path">To what.</param>
/// <param name="OtherPath">The new name of a rename.</param>
/// <param name="Number">A place or length.</param>
/// <param name="Text">What is written.</param>
internal sealed record FileOperation(FileOperationKind Kind, string Path, string OtherPath, int Number, string Text)
{
    private static readonly string[] Paths = ["a", "b", "c", "d", "e", "d/a", "d/b", "d/e", "d/e/a", "e/c", "e/d", "e/d/a"];

    public static FileOperation Random(Random random) => new(
        (FileOperationKind)random.Next(8),
        Paths[random.Next(Paths.Length)],
        Paths[random.Next(Paths.Length)],
        random.Next(2) == 0 ? random.Next(10) : random.Next(20_000),
        new string((char)('a' + random.Next(26)), random.Next(4) == 0 ? random.Next(20_000) : random.Next(20)));
}

/// <summary>A file system in a dictionary, with the rules of POSIX: what the real one is compared with.</summary>
internal sealed class FileModel
{
    /// <summary>Content by path; null for a directory.</summary>
    public SortedDictionary<string, byte[]?> Entries { get; } = new(StringComparer.Ordinal);

    /// <summary>Does an operation.</summary>
    /// <returns>Whether it succeeds.</returns>
    public bool Do(FileOperation operation)
    {
        string path = operation.Path;
        bool exists = Entries.TryGetValue(path, out byte[]? content);
        bool isDirectory = exists && content is null;
        byte[] text = Encoding.UTF8.GetBytes(operation.Text);
        if (!HasParent(path))
        {
            return false;
        }

        switch (operation.Kind)
        {
            case FileOperationKind.WriteWhole:
                return !isDirectory && Set(path, text);
            case FileOperationKind.Append:
                return !isDirectory && Set(path, [.. content ?? [], .. text]);
            case FileOperationKind.WriteAt:
                return exists && !isDirectory && Set(path, Overwrite(content!, operation.Number, text));
            case FileOperationKind.SetLength:
                byte[] resized = new byte[operation.Number];
                content?.AsSpan(0, Math.Min(content.Length, resized.Length)).CopyTo(resized);
                return exists && !isDirectory && Set(path, resized);
            case FileOperationKind.Unlink:
                return exists && !isDirectory && Entries.Remove(path);
            case FileOperationKind.MakeDirectory:
                return !exists && Set(path, null);
            case FileOperationKind.RemoveDirectory:
                return isDirectory && !HasChildren(path) && Entries.Remove(path);
            default:
                return Rename(path, exists, isDirectory, operation.OtherPath);
        }
    }

    private bool Rename(string from, bool exists, bool isDirectory, string to)
    {
        if (!exists || !HasParent(to) || to.StartsWith(from + "/", StringComparison.Ordinal))
        {
            return false;
        }

        if (from == to)
        {
            return true;
        }

        if (Entries.TryGetValue(to, out byte[]? replaced) && ((replaced is null) != isDirectory || HasChildren(to)))
        {
            return false;
        }

        Entries.Remove(to);
        foreach (string path in Entries.Keys.Where(path => path == from || path.StartsWith(from + "/", StringComparison.Ordinal)).ToArray())
        {
            Entries[to + path[from.Length..]] = Entries[path];
            Entries.Remove(path);
        }

        return true;
    }

    private static byte[] Overwrite(byte[] content, int offset, byte[] text)
    {
        if (text.Length == 0)
        {
            return content;
        }

        byte[] result = new byte[Math.Max(content.Length, offset + text.Length)];
        content.CopyTo(result, 0);
        text.CopyTo(result, offset);
        return result;
    }

    private bool Set(string path, byte[]? content)
    {
        Entries[path] = content;
        return true;
    }

    private bool HasParent(string path) =>
        !path.Contains('/') || (Entries.TryGetValue(path[..path.LastIndexOf('/')], out byte[]? parent) && parent is null && HasParent(path[..path.LastIndexOf('/')]));

    private bool HasChildren(string path) => Entries.Keys.Any(key => key.StartsWith(path + "/", StringComparison.Ordinal));
}
