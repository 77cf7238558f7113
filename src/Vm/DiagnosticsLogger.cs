using Microsoft.Extensions.Logging;

namespace Everheap.Vm;

/// <summary>A logger that hands the lines of warnings and errors to an action: for hosts that open a store themselves and want to hear of it as by <see cref="ProcessOptions.Diagnostics"/>.</summary>
/// <param name="diagnostics">Called with each line.</param>
public sealed class DiagnosticsLogger(Action<string> diagnostics) : ILogger
{
    /// <summary>A logger for these diagnostics; null for none.</summary>
    /// <param name="diagnostics">Called with each line, or null.</param>
    public static DiagnosticsLogger? For(Action<string>? diagnostics) => diagnostics is null ? null : new DiagnosticsLogger(diagnostics);

    /// <inheritdoc/>
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    /// <inheritdoc/>
    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

    /// <inheritdoc/>
    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel))
        {
            diagnostics(formatter(state, exception));
        }
    }
}
