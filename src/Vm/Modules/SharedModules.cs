using System.IO.Hashing;

namespace Everheap.Vm.Modules;

/// <summary>
/// The modules of heaps that are in use by this host process. Who takes a module up from a heap is given the one that others have of the same bytes, and with it the code that was compiled
/// for them: forks of a program are not decoded and compiled again. Any thread.
/// </summary>
/// <remarks>Keeps no module alive. Modules are found by a hash, and compared byte by byte: no two that differ are taken for one.</remarks>
internal static class SharedModules
{
    /// <summary>So many entries are looked through for modules that are gone, whenever there are twice as many as were left the last time.</summary>
    private const int EntriesMin = 64;

    private static readonly Lock Gate = new();
    private static readonly Dictionary<ulong, List<WeakReference<Module>>> Modules = [];
    private static int _entries;
    private static int _entriesMax = EntriesMin;

    /// <summary>Decodes and validates a module, unless there is one of the same bytes.</summary>
    /// <param name="bytes">The module, whole; kept where it is a new one.</param>
    /// <param name="cache">Where its compiled code is kept; null for nowhere. A module without one does not do for who has one.</param>
    /// <returns>The module. Cost: hashing and comparing, some 0.2 ms per MiB, where there is one; else that of <see cref="Module.Decode"/>.</returns>
    /// <exception cref="WasmFormatException">As for <see cref="Module.Decode"/>.</exception>
    public static Module Decode(byte[] bytes, CodeCache? cache)
    {
        ulong hash = XxHash3.HashToUInt64(bytes);
        lock (Gate)
        {
            if (Find(hash, bytes, cache is not null) is Module found)
            {
                return found;
            }
        }

        Module module = Module.Decode(bytes, cache);
        lock (Gate)
        {
            // Another thread may have decoded it meanwhile.
            return Find(hash, bytes, cache is not null) ?? Add(hash, module);
        }
    }

    /// <summary>Makes a module known to who takes its heap, or a fork of it, up.</summary>
    public static void Add(Module module)
    {
        ulong hash = XxHash3.HashToUInt64(module.Bytes.Span);
        lock (Gate)
        {
            if (Find(hash, module.Bytes.Span, module.Cached is not null) is null)
            {
                Add(hash, module);
            }
        }
    }

    private static Module? Find(ulong hash, ReadOnlySpan<byte> bytes, bool isCached)
    {
        if (Modules.TryGetValue(hash, out List<WeakReference<Module>>? entries))
        {
            foreach (WeakReference<Module> entry in entries)
            {
                if (entry.TryGetTarget(out Module? module) && (module.Cached is not null || !isCached) && module.Bytes.Span.SequenceEqual(bytes))
                {
                    return module;
                }
            }
        }

        return null;
    }

    private static Module Add(ulong hash, Module module)
    {
        if (_entries >= _entriesMax)
        {
            Forget();
        }

        if (!Modules.TryGetValue(hash, out List<WeakReference<Module>>? entries))
        {
            Modules.Add(hash, entries = []);
        }

        entries.Add(new WeakReference<Module>(module));
        _entries++;
        return module;
    }

    // Takes out those that are gone.
    private static void Forget()
    {
        _entries = 0;
        foreach ((ulong hash, List<WeakReference<Module>> entries) in Modules)
        {
            entries.RemoveAll(static entry => !entry.TryGetTarget(out _));
            _entries += entries.Count;
            if (entries.Count == 0)
            {
                Modules.Remove(hash);
            }
        }

        _entriesMax = Math.Max(EntriesMin, 2 * _entries);
    }
}
