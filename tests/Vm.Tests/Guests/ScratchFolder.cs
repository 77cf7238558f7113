namespace Everheap.Vm.Tests.Guests;

/// <summary>A fresh folder for one run, deleted with everything in it at the end.</summary>
internal sealed class ScratchFolder : IDisposable
{
    /// <param name="parent">Where it is made; null for the system's temporary folder.</param>
    public ScratchFolder(string? parent = null)
    {
        FullPath = Path.Combine(parent ?? Path.GetTempPath(), $"everheap-{Environment.ProcessId}-{Guid.NewGuid():N}");
        Directory.CreateDirectory(FullPath);
    }

    public string FullPath { get; }

    public string File(string name) => Path.Combine(FullPath, name);

    /// <summary>Makes a folder in it, with a copy of <paramref name="from"/> if that is not null.</summary>
    public string CreateFolder(string name, string? from)
    {
        string target = Path.Combine(FullPath, name);
        Directory.CreateDirectory(target);
        if (from is not null)
        {
            CopyContents(from, target);
        }

        return target;
    }

    public void Dispose() => Directory.Delete(FullPath, recursive: true);

    // The sources may be read-only, and the guest writes to the copies: contents are copied, not modes.
    private static void CopyContents(string from, string to)
    {
        foreach (string file in Directory.EnumerateFiles(from))
        {
            using FileStream source = System.IO.File.OpenRead(file);
            using FileStream target = System.IO.File.Create(Path.Combine(to, Path.GetFileName(file)));
            source.CopyTo(target);
        }

        foreach (string folder in Directory.EnumerateDirectories(from))
        {
            string copy = Path.Combine(to, Path.GetFileName(folder));
            Directory.CreateDirectory(copy);
            CopyContents(folder, copy);
        }
    }
}
