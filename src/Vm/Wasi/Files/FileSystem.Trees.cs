namespace Everheap.Vm.Wasi.Files;

/// <content>Moving things, and removing directories.</content>
internal sealed partial class FileSystem
{
    /// <summary>Removes an empty directory.</summary>
    /// <param name="directory">The directory that it is in.</param>
    /// <param name="name">Its name.</param>
    /// <param name="node">The directory.</param>
    public void RemoveDirectory(DirectoryNode directory, string name, DirectoryNode node)
    {
        var remnant = RemnantOf(node);
        Unbind(directory, name);
        if (directory.Mount.HostPath is not null)
        {
            var entry = directory.Entries[name];
            entry.Remnant = Remnant.Join(entry.Remnant, remnant);
        }

        node.IsRemoved = true;
        node.Parent = null;
        node.HostPath = null;
        _nodeCount -= node.Entries.Count;
        node.Entries.Clear();
    }

    /// <summary>Moves something to a name that nothing has.</summary>
    /// <param name="from">The directory that it is in.</param>
    /// <param name="name">Its name.</param>
    /// <param name="node">What it is.</param>
    /// <param name="to">The directory that it goes to.</param>
    /// <param name="newName">Its name there.</param>
    public void Move(DirectoryNode from, string name, Node node, DirectoryNode to, string newName)
    {
        CheckCanAdd(to);
        if (node is FileNode { Content: null } file)
        {
            BringIn(file);
        }

        if (node is DirectoryNode directory)
        {
            if (to.Depth + 1 + HeightOf(directory) > WasiLimits.DirectoryDepthMax)
            {
                throw new WasiException(Errno.NameTooLong);
            }

            var remnant = directory.Mount.HostPath is null ? null : BringInTree(directory);
            Unbind(from, name);
            if (from.Mount.HostPath is not null)
            {
                var left = from.Entries[name];
                left.Remnant = Remnant.Join(left.Remnant, remnant);
            }
        }
        else
        {
            Unbind(from, name);
        }

        Bind(to, newName, node, keepsTimes: true);
        node.ChangeTime = _clock.Realtime;
    }

    private static int HeightOf(DirectoryNode directory)
    {
        int height = 0;
        foreach (var entry in directory.Entries.Values)
        {
            if (entry.Node is DirectoryNode below)
            {
                height = Math.Max(height, 1 + HeightOf(below));
            }
        }

        return height;
    }

    /// <summary>What a directory that is being removed leaves on the host: the names that the program removed from it.</summary>
    private static Remnant RemnantOf(DirectoryNode directory)
    {
        var children = new Dictionary<string, Remnant?>();
        foreach (var (name, entry) in directory.Entries)
        {
            children[name] = entry.Remnant;
        }

        return new Remnant(children);
    }

    /// <summary>Copies all that the host has below a directory into the heap, so that it can be moved.</summary>
    /// <returns>What is to be removed at the old place.</returns>
    private Remnant BringInTree(DirectoryNode directory)
    {
        if (directory.Depth > WasiLimits.DirectoryDepthMax)
        {
            throw new WasiException(Errno.NameTooLong);
        }

        var children = new Dictionary<string, Remnant?>();
        foreach (var listed in List(directory))
        {
            var node = Find(directory, listed.Name);
            if (node is null)
            {
                continue;
            }

            Know(directory, listed.Name, node);
            Remnant? below = null;
            if (node is FileNode { Content: null } file)
            {
                BringIn(file);
            }
            else if (node is DirectoryNode subdirectory)
            {
                below = BringInTree(subdirectory);
            }

            children[listed.Name] = Remnant.Join(below, directory.Entries[listed.Name].Remnant);
        }

        foreach (var (name, entry) in directory.Entries.ToArray())
        {
            if (entry.Node is null)
            {
                children[name] = entry.Remnant;
                directory.Entries.Remove(name);
                _nodeCount--;
            }

            entry.Remnant = null;
        }

        directory.HostPath = null;
        return new Remnant(children);
    }
}
