using System.Diagnostics;
using System.Globalization;

namespace Everheap.Engine.Benchmarks;

/// <summary>The figures of docs/benchmarks.md: each beside its floor, measured in turn in one run.</summary>
internal static class Report
{
    private const int MiB = 1 << 20;
    private const int HitRounds = 50;
    private const int FaultRounds = 40;
    private const int CheckpointRounds = 60;
    private const int OpenRounds = 30;

    public static int Print(TextWriter output)
    {
        output.WriteLine("| what | best | median | p99 | floor: best, median | ratio of bests | of medians |");
        output.WriteLine("| --- | --- | --- | --- | --- | --- | --- |");
        Hits(output);
        Faults(output);
        foreach (int dirty in new[] { 1, 16, 64 })
        {
            Checkpoints(output, dirty);
        }

        Opening(output);
        return 0;
    }

    private static void Hits(TextWriter output)
    {
        HitBenchmarks hits = new();
        hits.Setup();
        Series floor = new(), load = new(), store = new();
        for (int i = 0; i < HitRounds; i++)
        {
            floor.Time(() => hits.LoadFromAnArray(), 100_000);
            load.Time(() => hits.Load(), 100_000);
            store.Time(hits.Store, 100_000);
        }

        hits.Cleanup();
        Row(output, "hit: random 8-byte load in 4 MiB through the table", load, floor, "the same from an array");
        Row(output, "hit: random 8-byte store in 4 MiB through the table", store, floor, "the same load from an array");
    }

    private static void Faults(TextWriter output)
    {
        const int Accesses = 4096;
        FaultBenchmarks faults = new();
        faults.Setup();
        Series copy = new(), read = new(), fault = new(), readWrite = new(), dirty = new();
        for (int i = 0; i < FaultRounds; i++)
        {
            copy.Time(faults.CopyOfAPage, Accesses);
            read.Time(() => faults.PositionalReadOfAPage(), Accesses);
            fault.Time(() => faults.Fault(), Accesses);
        }

        for (int i = 0; i < FaultRounds; i++)
        {
            readWrite.Time(() => faults.PositionalReadAndWriteOfAPage(), Accesses);
            dirty.Time(faults.FaultWithADirtyVictim, Accesses);
        }

        faults.Cleanup();
        Row(output, "fault, file cached, clean victim", fault, read, "positional read of 4 KiB");
        Row(output, "fault, file cached, clean victim", fault, copy, "memory copy of 4 KiB");
        Row(output, "fault with a dirty victim", dirty, readWrite, "positional read and write of 4 KiB");
    }

    private static void Checkpoints(TextWriter output, int dirtyMiB)
    {
        CheckpointBenchmarks bench = new() { DirtyMiB = dirtyMiB };
        bench.Setup();
        Series floor = new(), total = new(), pause = new(), sealing = new();
        for (int i = 0; i < CheckpointRounds; i++)
        {
            floor.Time(bench.PlainWriteAndFlush, 1);
            bench.Dirty();
            total.Time(() => bench.Checkpoint(), 1);
            bench.Dirty();
            sealing.Time(bench.Pause, 1);
            bench.Dirty();
            pause.Add(bench.Checkpoint().Pause.TotalNanoseconds);
        }

        bench.Cleanup();
        Row(output, $"checkpoint of {dirtyMiB} MiB dirty: pause as reported", pause, null, "");
        Row(output, $"checkpoint of {dirtyMiB} MiB dirty: call of BeginCheckpoint", sealing, null, "");
        Row(output, $"checkpoint of {dirtyMiB} MiB dirty: until durable", total, floor, "one write and fsync of as many bytes");
    }

    private static void Opening(TextWriter output)
    {
        OpenBenchmarks bench = new();
        bench.Setup();
        Series empty = new(), sparse = new();
        for (int i = 0; i < OpenRounds; i++)
        {
            empty.Time(() => bench.OpenEmpty(), 1);
            sparse.Time(() => bench.OpenSparse10GiBAfterAKill(), 1);
        }

        bench.Cleanup();
        Row(output, "open a sparse 10 GiB heap after a kill, read one value", sparse, empty, "the same of an empty heap");
        output.WriteLine($"| open: sparse minus empty | {Text(sparse.Best - empty.Best)} | {Text(sparse.Median - empty.Median)} | | | | |");
    }

    private static void Row(TextWriter output, string what, Series series, Series? floor, string floorName)
    {
        string floorText = floor is null ? "" : $"{floorName}: {Text(floor.Best)}, {Text(floor.Median)}";
        string best = floor is null ? "" : (series.Best / floor.Best).ToString("0.00", CultureInfo.InvariantCulture);
        string median = floor is null ? "" : (series.Median / floor.Median).ToString("0.00", CultureInfo.InvariantCulture);
        output.WriteLine(
            $"| {what} | {Text(series.Best)} | {Text(series.Median)} | {Text(series.Percentile(99))} | {floorText} | {best} | {median} |");
    }

    private static string Text(double nanoseconds) => Math.Abs(nanoseconds) switch
    {
        < 1e3 => nanoseconds.ToString("0.00 'ns'", CultureInfo.InvariantCulture),
        < 1e6 => (nanoseconds / 1e3).ToString("0.00 'us'", CultureInfo.InvariantCulture),
        _ => (nanoseconds / 1e6).ToString("0.00 'ms'", CultureInfo.InvariantCulture),
    };

    /// <summary>Times of one thing, in nanoseconds an operation.</summary>
    private sealed class Series
    {
        private readonly List<double> _values = [];

        /// <summary>The least of all: what a busy machine cannot make faster than it is.</summary>
        public double Best => Percentile(0);

        public double Median => Percentile(50);

        public void Time(Action action, int operations)
        {
            long start = Stopwatch.GetTimestamp();
            action();
            Add(Stopwatch.GetElapsedTime(start).TotalNanoseconds / operations);
        }

        public void Add(double value) => _values.Add(value);

        public double Percentile(int percent)
        {
            double[] sorted = [.. _values.Order()];
            return sorted[Math.Min(sorted.Length - 1, sorted.Length * percent / 100)];
        }
    }
}
