// The engine as a library: counts its own runs in a persistent heap. dotnet run --file samples/counter.cs
#:project ../src/Engine/Everheap.Engine.csproj

using System.Buffers.Binary;
using Everheap.Engine;

using HeapStore store = HeapStore.OpenOrCreate("counter.heap");
using PersistentHeap heap = store.HeapNames.Contains("counter") ? store.OpenHeap("counter") : store.CreateHeap("counter");

Span<byte> bytes = stackalloc byte[sizeof(long)];
heap.Read(0, bytes);                               // what was never written is zero
long runs = BinaryPrimitives.ReadInt64LittleEndian(bytes) + 1;
BinaryPrimitives.WriteInt64LittleEndian(bytes, runs);
heap.Write(0, bytes);
CheckpointInfo checkpoint = heap.Checkpoint();     // durable once it returns
Console.WriteLine($"run {runs}, checkpoint {checkpoint.Number}");
