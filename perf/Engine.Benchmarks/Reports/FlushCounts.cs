using System.Text.RegularExpressions;

namespace Everheap.Engine.Benchmarks.Reports;

/// <summary>
/// The calls that make data durable, counted in what strace wrote with <c>-f -y</c>. After each commit the traced process asks for a file that is not
/// there, the marker; a commit is durable if such a call ended between the marker before and its own.
/// </summary>
internal sealed partial class FlushCounts
{
    /// <summary>What strace is to follow; a question mark stands before calls that some machines do not have.</summary>
    public const string TracedCalls = "openat,?open,fsync,fdatasync,msync,write,writev,pwrite64,pwritev,?pwritev2,?stat,?lstat,?newfstatat,?statx,?access,?faccessat,?faccessat2";

    private readonly HashSet<string> _synchronousFiles = [];

    /// <summary>What a thread has begun and not ended.</summary>
    private readonly Dictionary<string, string> _begun = [];

    private Totals _sinceMarker;
    private Totals _all;

    /// <summary>Commits after the first.</summary>
    public int Commits { get; private set; }

    /// <summary>Those of them that had flushed something when they returned.</summary>
    public int DurableCommits { get; private set; }

    public double FsyncEach => Each(_all.Fsync);

    public double FdatasyncEach => Each(_all.Fdatasync);

    public double MsyncEach => Each(_all.Msync);

    public double SynchronousWritesEach => Each(_all.SynchronousWrites);

    public static FlushCounts Parse(IEnumerable<string> lines, string marker)
    {
        FlushCounts counts = new();
        bool isFirst = true;
        foreach (string line in lines)
        {
            if (line.Contains(marker, StringComparison.Ordinal) && !line.Contains("resumed>", StringComparison.Ordinal))
            {
                counts.Mark(isFirst);
                isFirst = false;
            }
            else
            {
                counts.Follow(line);
            }
        }

        return counts;
    }

    private double Each(int count) => count / (double)Math.Max(Commits, 1);

    private void Mark(bool isFirst)
    {
        if (!isFirst)
        {
            Commits++;
            DurableCommits += _sinceMarker.Any ? 1 : 0;
            _all += _sinceMarker;
        }

        _sinceMarker = default;
    }

    private void Follow(string line)
    {
        if (BeginLine().Match(line) is { Success: true } begin)
        {
            _begun[begin.Groups["thread"].Value] = begin.Groups["call"].Value;
            return;
        }

        if (ResumeLine().Match(line) is { Success: true } resume && _begun.Remove(resume.Groups["thread"].Value, out string? call))
        {
            End(call + resume.Groups["rest"].Value);
        }
        else if (WholeLine().Match(line) is { Success: true } whole)
        {
            End(whole.Groups["call"].Value);
        }
    }

    /// <summary>A call has ended; this is all of it, its result included.</summary>
    private void End(string call)
    {
        string name = call[..call.IndexOf('(', StringComparison.Ordinal)];
        switch (name)
        {
            case "fsync":
                _sinceMarker.Fsync++;
                break;
            case "fdatasync":
                _sinceMarker.Fdatasync++;
                break;
            case "msync" when call.Contains("MS_SYNC", StringComparison.Ordinal):
                _sinceMarker.Msync++;
                break;
            case "open" or "openat" when OpenedFile().Match(call) is { Success: true } opened:
                if (call.Contains("O_SYNC", StringComparison.Ordinal) || call.Contains("O_DSYNC", StringComparison.Ordinal))
                {
                    _synchronousFiles.Add(opened.Groups["file"].Value);
                }
                else
                {
                    _synchronousFiles.Remove(opened.Groups["file"].Value); // the number is used again
                }

                break;
            case "write" or "writev" or "pwrite64" or "pwritev" or "pwritev2"
                when WrittenFile().Match(call) is { Success: true } written && _synchronousFiles.Contains(written.Groups["file"].Value):
                _sinceMarker.SynchronousWrites++;
                break;
        }
    }

    [GeneratedRegex(@"^(?<thread>\d+) +(?<call>\w+\(.*) <unfinished \.\.\.>$")]
    private static partial Regex BeginLine();

    [GeneratedRegex(@"^(?<thread>\d+) +<\.\.\. \w+ resumed>(?<rest>.*)$")]
    private static partial Regex ResumeLine();

    [GeneratedRegex(@"^\d+ +(?<call>\w+\(.*)$")]
    private static partial Regex WholeLine();

    [GeneratedRegex(@"= (?<file>\d+)<[^>]*>$")]
    private static partial Regex OpenedFile();

    [GeneratedRegex(@"^\w+\((?<file>\d+)<")]
    private static partial Regex WrittenFile();

    private record struct Totals(int Fsync, int Fdatasync, int Msync, int SynchronousWrites)
    {
        public readonly bool Any => Fsync + Fdatasync + Msync + SynchronousWrites > 0;

        public static Totals operator +(Totals a, Totals b) =>
            new(a.Fsync + b.Fsync, a.Fdatasync + b.Fdatasync, a.Msync + b.Msync, a.SynchronousWrites + b.SynchronousWrites);
    }
}
