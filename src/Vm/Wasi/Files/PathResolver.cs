using System.Text;

namespace Everheap.Vm.Wasi.Files;

/// <summary>Where a path led.</summary>
/// <param name="Directory">The directory that the last component is in; if the path names a directory by ".", "..", or nothing more, that directory.</param>
/// <param name="Name">The last component; null if the path ends in "." or "..".</param>
/// <param name="Node">What is there; null if nothing is.</param>
/// <param name="MustBeDirectory">Whether the path ends in a slash.</param>
internal readonly record struct ResolvedPath(DirectoryNode Directory, string? Name, Node? Node, bool MustBeDirectory);

/// <summary>
/// Resolves a program's paths, component by component. Invariant: no path leads out of the directory that it starts from, by "..", by
/// an absolute path, or by a symbolic link that says either.
/// </summary>
internal static class PathResolver
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Decodes a path or a link's target.</summary>
    /// <param name="bytes">Its bytes.</param>
    /// <returns>The path.</returns>
    /// <exception cref="WasiException">It is no UTF-8, or has a zero in it.</exception>
    public static string Decode(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Contains((byte)0))
        {
            throw new WasiException(Errno.Invalid);
        }

        try
        {
            return StrictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            throw new WasiException(Errno.IllegalByteSequence);
        }
    }

    /// <summary>Resolves a path.</summary>
    /// <param name="files">The file system.</param>
    /// <param name="start">Where it starts.</param>
    /// <param name="path">The path.</param>
    /// <param name="followLast">Whether a symbolic link in the last component is followed.</param>
    /// <returns>Where it led; the last component need not exist.</returns>
    /// <exception cref="WasiException">It does not exist, leads out, or is too long.</exception>
    public static ResolvedPath Resolve(FileSystem files, DirectoryNode start, string path, bool followLast)
    {
        if (path.Length == 0)
        {
            throw new WasiException(Errno.NoEntry);
        }

        CheckRelative(path);
        var components = new Stack<string>();
        bool mustBeDirectory = Push(components, path);
        var trail = new Stack<DirectoryNode>();
        trail.Push(start);
        int links = 0;
        while (components.TryPop(out string? name))
        {
            var directory = trail.Peek();
            if (name == ".")
            {
                continue;
            }

            if (name == "..")
            {
                trail.Pop();
                if (trail.Count == 0)
                {
                    throw new WasiException(Errno.NotPermitted);
                }

                continue;
            }

            if (directory.IsRemoved)
            {
                throw new WasiException(Errno.NoEntry);
            }

            if (Encoding.UTF8.GetByteCount(name) > WasiLimits.NameBytesMax)
            {
                throw new WasiException(Errno.NameTooLong);
            }

            bool isLast = components.Count == 0;
            var node = files.Find(directory, name);
            if (node is SymlinkNode link && (!isLast || followLast || mustBeDirectory))
            {
                if (++links > WasiLimits.SymbolicLinksMax)
                {
                    throw new WasiException(Errno.Loop);
                }

                CheckRelative(link.Target);
                bool targetIsDirectory = Push(components, link.Target);
                mustBeDirectory |= isLast && targetIsDirectory;
                continue;
            }

            if (isLast)
            {
                if (mustBeDirectory && node is not null and not DirectoryNode)
                {
                    throw new WasiException(Errno.NotDirectory);
                }

                return new ResolvedPath(directory, name, node, mustBeDirectory);
            }

            trail.Push(node switch
            {
                DirectoryNode below => below,
                null => throw new WasiException(Errno.NoEntry),
                _ => throw new WasiException(Errno.NotDirectory),
            });
        }

        return new ResolvedPath(trail.Peek(), null, trail.Peek(), true);
    }

    /// <summary>Refuses an absolute path.</summary>
    /// <param name="path">The path.</param>
    /// <exception cref="WasiException">It is absolute.</exception>
    public static void CheckRelative(string path)
    {
        if (path.StartsWith('/'))
        {
            throw new WasiException(Errno.NotPermitted);
        }
    }

    /// <summary>Puts the components of a path on a stack, the first on top.</summary>
    /// <returns>Whether the path ends in a slash.</returns>
    private static bool Push(Stack<string> components, string path)
    {
        if (path.Length > WasiLimits.PathBytesMax)
        {
            throw new WasiException(Errno.NameTooLong);
        }

        string[] parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        for (int i = parts.Length - 1; i >= 0; i--)
        {
            components.Push(parts[i]);
        }

        return path.EndsWith('/');
    }
}
