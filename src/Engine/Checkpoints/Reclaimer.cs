using Everheap.Engine.Storage;
using Microsoft.Extensions.Logging;

namespace Everheap.Engine.Checkpoints;

/// <summary>
/// Gives back what dropped checkpoints and heaps alone reached, in bounded steps: a persistent stack of references to nodes, each worked off by looking at
/// whether anybody else refers to the node, and if not, at what is below it.
/// </summary>
/// <remarks>
/// <para>Invariants:</para>
/// <list type="number">
/// <item>Every entry of the stack is one reference, counted as such: at any moment what is in use is what heaps, retained checkpoints and the stack reach.</item>
/// <item>A step is part of a commit: after a crash it was done with that commit, or was not.</item>
/// <item>A node that does not match its checksum tells of no children: what hung on it stays in use, reported by Verify, until the store is repaired. It does not keep the
/// rest from coming back.</item>
/// <item>The last entry is worked off first, so the stack never holds more than the siblings along one path, for each root dropped.</item>
/// </list>
/// </remarks>
internal sealed class Reclaimer(Catalog catalog, SharedPages shared, ILogger logger)
{
    /// <summary>Pages of the catalog that a step may change before it stops: each of them has to be written.</summary>
    public const int ChangedPagesMax = 48;

    private readonly MapEntry[] _children = new MapEntry[FileLayout.NodeEntries];

    /// <summary>Told of every place that is given up for good.</summary>
    public Action<ulong>? Freed { get; set; }

    /// <summary>Gives up one reference to a tree, or to part of one.</summary>
    /// <param name="node">Its root; nothing is nothing.</param>
    /// <param name="level">The root's level.</param>
    public void Drop(in MapEntry node, int level = FileLayout.NodeLevels)
    {
        if (node.Place != 0)
        {
            catalog.PushReclaim(new ReclaimRecord { Node = node, Level = (uint)level });
        }
    }

    /// <summary>Works off part of the stack.</summary>
    /// <param name="pagesMax">References to look at, at most (and those of one node more).</param>
    public void Step(int pagesMax)
    {
        for (var looked = 0; looked < pagesMax && catalog.ReclaimCount > 0 && catalog.DirtyPages < ChangedPagesMax;)
        {
            var record = catalog.PopReclaim();
            looked++;
            if (shared.TryRemove(record.Node.Place))
            {
                continue;
            }

            if (!TryReadChildren(record))
            {
                Release(record.Node);
                continue;
            }

            Release(record.Node);
            foreach (var child in _children)
            {
                if (child.Place == 0)
                {
                    continue;
                }

                if (record.Level > 1)
                {
                    catalog.PushReclaim(new ReclaimRecord { Node = child, Level = record.Level - 1 });
                }
                else if (!shared.TryRemove(child.Place))
                {
                    Release(child);
                }

                looked++;
            }
        }
    }

    private bool TryReadChildren(in ReclaimRecord record)
    {
        try
        {
            shared.Children(record.Node, (int)record.Level).CopyTo(_children);
            return true;
        }
        catch (HeapCorruptedException damage)
        {
            StoreLog.NotReclaimed(logger, damage.Message);
            return false;
        }
    }

    private void Release(in MapEntry entry)
    {
        Freed?.Invoke(entry.Place);
        catalog.Release(entry);
    }
}
