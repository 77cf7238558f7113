namespace Everheap.Cli.Torture;

/// <summary>Something did not hold: what the store promises, or that a worker lives until it is killed.</summary>
/// <param name="message">What was found, and what was to be expected.</param>
internal sealed class TortureFailure(string message) : Exception(message)
{
    /// <summary>Whether a Ctrl-C at the terminal, which reaches every process there, explains it.</summary>
    public bool IsInterruption { get; init; }
}
