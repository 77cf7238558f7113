// A ledger of ten million entries, 320 MB, kept in a heap that has 16 MiB of memory. Kill it at any moment, as hard as you like,
// and run it again: it goes on from its last checkpoint, and every balance is what its entries come to.
//
//     dotnet run -c Release --project samples/Ledger -- [FILE [ENTRIES [MILLISECONDS]]]

using System.Diagnostics;
using System.Globalization;
using Everheap.Engine;
using Everheap.Engine.Collections;
using Everheap.Samples.Ledger;

string path = args.Length > 0 ? args[0] : "ledger.heap";
long wanted = args.Length > 1 ? long.Parse(args[1], CultureInfo.InvariantCulture) : 10_000_000;
TimeSpan pause = TimeSpan.FromMilliseconds(args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 100);

HeapStoreOptions options = new() { ResidentBytes = 16 << 20 };
using HeapStore store = File.Exists(path) ? HeapStore.Open(path, options) : HeapStore.Create(path, options);
using PersistentHeap heap = store.HeapNames.Contains("ledger") ? store.OpenHeap("ledger") : store.CreateHeap("ledger");
PersistentArray<Entry> entries = PersistentArray.OpenOrCreate<Entry>(heap, "entries");
PersistentArray<long> balances = PersistentArray.OpenOrCreate<long>(heap, "balances");
balances.Resize(Entry.AccountCount);
Console.WriteLine($"opened with {entries.LongCount:N0} entries, turnover {Audit.Run(entries, balances):N0}: balances agree");

Stopwatch sinceCheckpoint = Stopwatch.StartNew();
for (long number = entries.LongCount; number < wanted; number++)
{
    Entry entry = Entry.Make(number);
    entries.Add(entry);
    balances[entry.From] -= entry.Amount;
    balances[entry.To] += entry.Amount;
    if (number % 1024 == 0 && sinceCheckpoint.Elapsed >= pause)
    {
        heap.BeginCheckpoint(); // goes on at once; a thread of the store's own writes what has changed
        sinceCheckpoint.Restart();
    }
}

heap.Checkpoint();
Console.WriteLine($"closed with {entries.LongCount:N0} entries, turnover {Audit.Run(entries, balances):N0}: balances agree");
using Process process = Process.GetCurrentProcess();
Console.WriteLine($"{new FileInfo(path).Length >> 20} MiB in the file, {options.ResidentBytes >> 20} MiB of it in memory at most; the process had {process.PeakWorkingSet64 >> 20} MiB at most");
