namespace Everheap.Engine.Transfer;

/// <summary>How far a stream is.</summary>
/// <param name="Pages">Page records so far: pages added, changed and removed.</param>
/// <param name="PagesExpected">How many there will be; null if that is not known, as in a difference and in a stream that goes on with another.</param>
/// <param name="Bytes">Bytes of the stream so far.</param>
/// <param name="NextPage">The page after the last one so far.</param>
public sealed record TransferProgress(long Pages, long? PagesExpected, long Bytes, ulong NextPage);
