using System.Diagnostics.Metrics;

namespace Everheap.Engine;

/// <summary>Publishes a heap's statistics: the meter <c>Everheap.Engine</c>, every instrument tagged with the heap's name. Nothing is counted for it that
/// is not counted anyway; a listener's collection takes one snapshot an instrument.</summary>
internal sealed class HeapMeter : IDisposable
{
    private readonly Meter _meter;

    public HeapMeter(PersistentHeap heap)
    {
        _meter = new Meter(new MeterOptions(EngineTelemetry.Name) { Tags = [new("heap", heap.Name)] });
        Count("everheap.faults", "{page}", "Pages loaded from the file", () => heap.Statistics.Faults);
        Count("everheap.map_faults", "{node}", "Nodes of the page map loaded from the file", () => heap.Statistics.MapFaults);
        Count("everheap.evictions", "{frame}", "Frames given up", () => heap.Statistics.Evictions);
        Count("everheap.dirty_evictions", "{frame}", "Frames written between checkpoints to be given up", () => heap.Statistics.DirtyEvictions);
        Count("everheap.bytes_written", "By", "Bytes written to the medium", () => heap.Statistics.BytesWritten);
        Count("everheap.bytes_read", "By", "Bytes read from the medium", () => heap.Statistics.BytesRead);
        Count("everheap.checkpoints", "{checkpoint}", "Checkpoints made durable", () => heap.Statistics.Checkpoints);
        Gauge("everheap.dirty", "By", "Changed since the last seal and resident", () => heap.DirtyBytes);
        Gauge("everheap.resident", "By", "Frames in use", () => heap.Statistics.ResidentFrames << PersistentHeap.PageShift);
        Gauge("everheap.checkpoint.pause", "us", "Pause of the last seal", () => (long)heap.Statistics.LastPause.TotalMicroseconds);
        Gauge("everheap.checkpoint.duration", "us", "Last checkpoint, from seal to durable", () => (long)heap.Statistics.LastDuration.TotalMicroseconds);
    }

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();

    private void Count(string name, string unit, string description, Func<long> value) =>
        _meter.CreateObservableCounter(name, value, unit, description);

    private void Gauge(string name, string unit, string description, Func<long> value) =>
        _meter.CreateObservableGauge(name, value, unit, description);
}
