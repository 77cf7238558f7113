using System.Diagnostics;
using System.Globalization;
using Everheap.Engine.Benchmarks.Children;
using Everheap.Engine.Benchmarks.Peers;
using Everheap.Measuring;

namespace Everheap.Engine.Benchmarks.Workloads;

/// <summary>One peer does a list of phases, one after the other, in this process; a line of output for each that is timed.</summary>
internal sealed class PeerRun : IDisposable
{
    public const string Command = "peer";

    /// <summary>As <see cref="Command"/>, but the phases are asked for on the standard input, one after the other.</summary>
    public const string TalkCommand = "peer-talk";

    /// <summary>Part of the name of the file that is not there.</summary>
    public const string MarkerName = "everheap-bench-marker";

    /// <summary>Operations between two looks at the clock.</summary>
    private const int OperationsPerLook = 64;

    /// <summary>The part of all keys that is hot: one in so many, side by side.</summary>
    private const long HotShare = 20;

    private const long TrackedRecordsMax = 20_000;

    private readonly PeerKind _kind;
    private readonly PeerSetup _setup;
    private readonly byte[] _value = new byte[Records.ValueBytes];
    private readonly Dictionary<KeyDistribution, KeySequence> _keys = [];
    private IKeyValuePeer _peer;

    /// <summary>What was last written to each key, so that a lost write is found; where it is small enough not to count.</summary>
    private readonly long[]? _written;

    /// <summary>Starts at something else every time, so that no run writes what an earlier one has written.</summary>
    private long _version = Stopwatch.GetTimestamp();

    private PeerRun(PeerKind kind, PeerSetup setup)
    {
        _kind = kind;
        _setup = setup;
        _written = setup.RecordCount <= TrackedRecordsMax ? new long[setup.RecordCount] : null;
        _peer = kind.Open(setup);
    }

    /// <summary>Opens the peer, does the phases, and closes it.</summary>
    /// <exception cref="InvalidOperationException">A wrong value was read.</exception>
    public static int Run(PeerKind kind, PeerSetup setup, IEnumerable<string> phases, TextWriter output)
    {
        using PeerRun run = Start(kind, setup);
        foreach (string phase in phases)
        {
            if (run.Do(Phase.Parse(phase)) is { } nanoseconds)
            {
                output.WriteLine(ChildResult.Line(phase, nanoseconds));
            }
        }

        return 0;
    }

    /// <summary>Opens the peer, does phases as they are asked for, a line each, answers each with its figure (0 if it has none), and closes it.</summary>
    /// <exception cref="InvalidOperationException">A wrong value was read.</exception>
    public static int Talk(PeerKind kind, PeerSetup setup, TextReader input, TextWriter output)
    {
        using PeerRun run = Start(kind, setup);
        while (input.ReadLine() is { } phase)
        {
            output.WriteLine((run.Do(Phase.Parse(phase)) ?? 0).ToString("R", CultureInfo.InvariantCulture));
            output.Flush();
        }

        return 0;
    }

    public void Dispose() => _peer.Dispose();

    private static PeerRun Start(PeerKind kind, PeerSetup setup) => kind.WhyNotAvailable() is { } reason
        ? throw new InvalidOperationException($"{kind.Name} is not available: {reason}")
        : new PeerRun(kind, setup);

    private double? Do(Phase phase) => phase.Kind switch
    {
        PhaseKind.Load => Load(phase.Count),
        PhaseKind.Commit or PhaseKind.MarkedCommit => Commit(phase),
        PhaseKind.Warm => Discard(phase.Count > 0 ? Commit(phase) : Mix(phase)),
        PhaseKind.Mix => Mix(phase),
        PhaseKind.Reopen => Reopen(),
        _ => Verify(phase.Count),
    };

    private static double? Discard(double _) => null;

    /// <summary>All keys in order. Nanoseconds a record.</summary>
    private double Load(long recordsPerCommit)
    {
        long start = Stopwatch.GetTimestamp();
        for (long key = 0; key < _setup.RecordCount; key++)
        {
            Write(key);
            if ((key + 1) % recordsPerCommit == 0 || key + 1 == _setup.RecordCount)
            {
                _peer.Commit();
            }
        }

        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / _setup.RecordCount;
    }

    /// <summary>Commits of some random records each, the writing included, until there are enough or the time is up. The median, in nanoseconds.</summary>
    private double Commit(Phase phase)
    {
        KeySequence keys = Keys(phase);
        Series series = new();
        long start = Stopwatch.GetTimestamp();
        for (long i = 0; i < phase.Count && (i == 0 || Stopwatch.GetElapsedTime(start).TotalMilliseconds < phase.Milliseconds); i++)
        {
            series.Time(() =>
            {
                for (int record = 0; record < phase.RecordsPerCommit; record++)
                {
                    Write(keys.Next());
                }

                _peer.Commit();
            });
            if (phase.Kind == PhaseKind.MarkedCommit)
            {
                _ = File.Exists($"/{MarkerName}");
            }
        }

        return series.Median;
    }

    /// <summary>Reads, and writes among them, for some time, and, where there are writes, on to the end of a commit. Nanoseconds an operation.</summary>
    private double Mix(Phase phase)
    {
        KeySequence keys = Keys(phase);
        long operations = 0, written = 0;
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start).TotalMilliseconds < phase.Milliseconds || (phase.WritePercent > 0 && written % phase.RecordsPerCommit != 0))
        {
            for (int i = 0; i < OperationsPerLook; i++)
            {
                long key = keys.Next();
                bool isWrite = phase.WritePercent > 0 && Records.Mix((ulong)operations) % 100 < (ulong)phase.WritePercent;
                operations++;
                if (!isWrite)
                {
                    Read(key);
                    continue;
                }

                Write(key);
                if (++written % phase.RecordsPerCommit == 0)
                {
                    _peer.Commit();
                    break;
                }
            }
        }

        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / operations;
    }

    private double? Reopen()
    {
        _peer.Dispose();
        _peer = _kind.Open(_setup);
        return null;
    }

    /// <summary>Reads values here and there, and checks every byte; all that was written before is committed.</summary>
    private double? Verify(long count)
    {
        KeySequence keys = KeySequence.Uniform(_setup.RecordCount, 7);
        for (long i = 0; i < count; i++)
        {
            long key = keys.Next();
            Read(key);
            bool isLatest = _written is null || _written[key] == 0 || _written[key] == Records.VersionOf(_value);
            if (!isLatest || !Records.IsValue(_value, key))
            {
                throw new InvalidOperationException($"The value of key {key} is not what was last written.");
            }
        }

        return null;
    }

    private void Write(long key)
    {
        Records.Fill(_value, key, ++_version);
        _written?[key] = _version;
        _peer.Write(key, _value);
    }

    private void Read(long key)
    {
        if (!_peer.TryRead(key, _value) || !Records.BelongsTo(_value, key))
        {
            throw new InvalidOperationException($"The value of key {key} is missing, or another's.");
        }
    }

    /// <summary>Keys of a distribution. They go on where the phase before has stopped: a phase that began anew would find cached what that one has used.</summary>
    private KeySequence Keys(Phase phase)
    {
        if (!_keys.TryGetValue(phase.Keys, out KeySequence? keys))
        {
            _keys[phase.Keys] = keys = phase.Keys switch
            {
                KeyDistribution.Zipfian => KeySequence.Zipfian(_setup.RecordCount, 5),
                KeyDistribution.Hot => KeySequence.Uniform(Math.Max(1, _setup.RecordCount / HotShare), 5),
                _ => KeySequence.Uniform(_setup.RecordCount, 5),
            };
        }

        return keys;
    }
}
