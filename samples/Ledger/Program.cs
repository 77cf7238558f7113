// A ledger of ten million entries, 320 MB, in a heap that has 12 MiB of memory, while another thread keeps adding it up out of snapshots
// that have 4 MiB. Kill it when it has opened, as hard as you like, and run it again: it goes on from its last checkpoint, and every
// balance is what its entries come to.
//
//     dotnet run -c Release --project samples/Ledger -- [FILE [ENTRIES [MILLISECONDS]]]
//
// ENTRIES is how many there are to be in the end, MILLISECONDS the time between two checkpoints.

using System.Diagnostics;
using System.Globalization;
using Everheap.Engine;
using Everheap.Engine.Collections;
using Everheap.Samples.Ledger;

string path = args.Length > 0 ? args[0] : "ledger.heap";
long wanted = args.Length > 1 ? long.Parse(args[1], CultureInfo.InvariantCulture) : 10_000_000;
TimeSpan pause = TimeSpan.FromMilliseconds(args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 100);
HeapOptions writerBudget = new() { ResidentBytes = 12 << 20 };
HeapOptions readerBudget = new() { ResidentBytes = 4 << 20 };

using HeapStore store = HeapStore.OpenOrCreate(path);
using PersistentHeap heap = store.HeapNames.Contains("ledger") ? store.OpenHeap("ledger", writerBudget) : store.CreateHeap("ledger", writerBudget);
PersistentArray<Entry> entries = PersistentArray.OpenOrCreate<Entry>(heap, "entries");
PersistentArray<long> balances = PersistentArray.OpenOrCreate<long>(heap, "balances");
balances.Resize(Entry.AccountCount);
heap.Checkpoint();
Console.WriteLine($"opened with {entries.LongCount:N0} entries, turnover {Audit.Run(entries, balances):N0}: balances agree");

using CancellationTokenSource written = new();
Task reader = Task.Run(() =>
{
    do
    {
        // What the latest checkpoint has; the writer neither waits for this nor is seen in it.
        using HeapSnapshot snapshot = store.OpenSnapshot("ledger", options: readerBudget);
        ReadOnlyPersistentArray<Entry> then = PersistentArray.Open<Entry>(snapshot, "entries");
        long turnover = Audit.Run(then, PersistentArray.Open<long>(snapshot, "balances"));
        Console.WriteLine($"checkpoint {snapshot.CheckpointNumber} has {then.LongCount:N0} entries, turnover {turnover:N0}: balances agree");
    }
    while (!written.Token.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(50)));
});

Stopwatch sinceCheckpoint = Stopwatch.StartNew();
for (long number = entries.LongCount; number < wanted; number++)
{
    Entry entry = Entry.Make(number);
    entries.Add(entry);
    balances[entry.From] -= entry.Amount;
    balances[entry.To] += entry.Amount;
    if (number % 1024 == 0 && sinceCheckpoint.Elapsed >= pause)
    {
        _ = heap.BeginCheckpoint(); // goes on at once; a thread of the store's own writes what has changed
        sinceCheckpoint.Restart();
    }
}

heap.Checkpoint();
written.Cancel();
await reader;
Console.WriteLine($"closed with {entries.LongCount:N0} entries, turnover {Audit.Run(entries, balances):N0}: balances agree");
using Process process = Process.GetCurrentProcess();
Console.WriteLine($"{new FileInfo(path).Length >> 20} MiB in the file; the process had {process.PeakWorkingSet64 >> 20} MiB at most");
