using System.Runtime.CompilerServices;
using Everheap.Engine.Benchmarks.Workloads;

namespace Everheap.Engine.Benchmarks.Peers;

/// <summary>A value as a struct, for the peers that are typed.</summary>
[InlineArray(Records.ValueBytes)]
internal struct RecordValue
{
    private byte _first;
}
