using Microsoft.Extensions.Logging;

namespace Everheap.Engine;

/// <summary>Everything a store has to say that is no error of a call.</summary>
internal static partial class StoreLog
{
    [LoggerMessage(1, LogLevel.Information, "{Store}: opened at commit {Commit}, {Heaps} heaps, {Bytes} bytes")]
    public static partial void Opened(ILogger logger, string store, ulong commit, int heaps, long bytes);

    [LoggerMessage(2, LogLevel.Warning, "{Store}: root slot {Slot} skipped: {Reason}")]
    public static partial void RootSkipped(ILogger logger, string store, int slot, string reason);

    [LoggerMessage(3, LogLevel.Error, "{Store}: writing failed; the store takes no more changes until it is opened again")]
    public static partial void Latched(ILogger logger, string store, Exception failure);

    [LoggerMessage(4, LogLevel.Warning, "{Store}: a checkpoint of heap '{Heap}' waits for room: {Reason}")]
    public static partial void Stalled(ILogger logger, string store, string heap, string reason);

    [LoggerMessage(5, LogLevel.Information, "{Store}: the file was cut from {Before} to {After} bytes, {Moved} pages moved")]
    public static partial void Compacted(ILogger logger, string store, long before, long after, long moved);

    [LoggerMessage(6, LogLevel.Warning, "{Store}: heap '{Heap}' had damaged checkpoints {Damaged}; newest valid: {Valid}")]
    public static partial void Repaired(ILogger logger, string store, string heap, string damaged, string valid);

    [LoggerMessage(7, LogLevel.Information, "{Store}: of version {Version} of the format; the next commit makes it version {Current}")]
    public static partial void OldVersion(ILogger logger, string store, uint version, uint current);

    [LoggerMessage(8, LogLevel.Debug, "{Store}: checkpoint {Number} of heap '{Heap}': {Pages} pages, {Bytes} bytes, pause {PauseMicroseconds} us, durable after {Microseconds} us")]
    public static partial void CheckpointMade(ILogger logger, string store, string heap, long number, long pages, long bytes, long pauseMicroseconds, long microseconds);

    [LoggerMessage(9, LogLevel.Error, "{Store}: after the failure the catalog cannot be read either; what is said of heaps may be ahead of what is durable")]
    public static partial void CatalogUnreadable(ILogger logger, string store, Exception failure);

    [LoggerMessage(10, LogLevel.Error, "{Damage} What hung on it stays in use until the store is repaired")]
    public static partial void NotReclaimed(ILogger logger, string damage);

    [LoggerMessage(11, LogLevel.Warning, "{Store}: what heap '{Heap}' used last is not prefetched any further")]
    public static partial void PrefetchEnded(ILogger logger, string store, string heap, Exception failure);
}
