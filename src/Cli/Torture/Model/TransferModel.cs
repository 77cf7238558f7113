namespace Everheap.Cli.Torture.Model;

/// <summary>What was to be received, and may have broken off.</summary>
/// <param name="OriginName">The heap that it was sent from.</param>
/// <param name="FromNumber">The checkpoint that it differs from; 0: it was sent whole.</param>
/// <param name="ToNumber">The checkpoint.</param>
internal sealed record TransferModel(string OriginName, long FromNumber, long ToNumber);
