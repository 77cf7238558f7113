namespace Everheap.Engine.Benchmarks.Reports;

/// <summary>The calls that make data durable, counted in what strace wrote with <c>-y</c>, for files below one folder.</summary>
internal sealed record FlushCounts(int Fsync, int Fdatasync, int Msync, int SynchronousWrites)
{
    /// <summary>What strace is to follow.</summary>
    public const string TracedCalls = "openat,open,fsync,fdatasync,msync,write,writev,pwrite64,pwritev,pwritev2";

    public static FlushCounts Parse(IEnumerable<string> lines, string folder)
    {
        HashSet<string> synchronousFiles = [];
        int fsync = 0, fdatasync = 0, msync = 0, synchronousWrites = 0;
        foreach (string line in lines)
        {
            // "1234  call(arguments) = result"; what was begun and goes on later is counted where it begins.
            int start = line.IndexOf(' ', StringComparison.Ordinal), end = line.IndexOf('(', StringComparison.Ordinal);
            if (start < 0 || end < start || line.Contains("<... ", StringComparison.Ordinal))
            {
                continue;
            }

            string call = line[start..end].Trim();
            string? path = PathOf(line, folder);
            switch (call)
            {
                case "msync" when line.Contains("MS_SYNC", StringComparison.Ordinal):
                    msync++;
                    break;
                case "fsync" when path is not null:
                    fsync++;
                    break;
                case "fdatasync" when path is not null:
                    fdatasync++;
                    break;
                case "openat" or "open" when path is not null && (line.Contains("O_SYNC", StringComparison.Ordinal) || line.Contains("O_DSYNC", StringComparison.Ordinal)):
                    synchronousFiles.Add(path);
                    break;
                case "write" or "writev" or "pwrite64" or "pwritev" or "pwritev2" when path is not null && synchronousFiles.Contains(path):
                    synchronousWrites++;
                    break;
            }
        }

        return new FlushCounts(fsync, fdatasync, msync, synchronousWrites);
    }

    /// <summary>The first path below the folder that a line names.</summary>
    private static string? PathOf(string line, string folder)
    {
        int start = line.IndexOf(folder, StringComparison.Ordinal);
        if (start < 0)
        {
            return null;
        }

        int end = line.IndexOfAny(['"', '>'], start);
        return end < 0 ? null : line[start..end];
    }
}
