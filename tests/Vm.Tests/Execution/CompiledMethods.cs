using System.Collections.Concurrent;
using System.Diagnostics.Tracing;

namespace Everheap.Vm.Tests.Execution;

/// <summary>What the JIT compiles: the runtime's event MethodLoadVerbose, in whose flags bits 7 to 9 are the tier.</summary>
internal sealed class CompiledMethods : EventListener
{
    public const uint MinimalTier = 1;
    public const uint OptimisedTier = 2;

    // The runtime hands events on now and then; milliseconds.
    public const int EventTimeMax = 60_000;
    public const int EventTimeStep = 50;

    private const EventKeywords JitKeyword = (EventKeywords)0x10;
    private const int MethodLoadVerbose = 143;
    private const int SizePayload = 3;
    private const int FlagsPayload = 5;
    private const int NamePayload = 7;

    private readonly ConcurrentDictionary<(string Name, uint Tier), long> _bytes = new();

    public long BytesOf(string method, uint tier) => _bytes.GetValueOrDefault((method, tier));

    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        if (eventSource.Name == "Microsoft-Windows-DotNETRuntime")
        {
            EnableEvents(eventSource, EventLevel.Verbose, JitKeyword);
        }
    }

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        if (eventData.EventId == MethodLoadVerbose && eventData.Payload is { Count: > NamePayload } payload)
        {
            uint tier = (Convert.ToUInt32(payload[FlagsPayload], null) >> 7) & 7;
            _bytes[((string)payload[NamePayload]!, tier)] = Convert.ToInt64(payload[SizePayload], null);
        }
    }
}
