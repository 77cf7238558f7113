using Microsoft.Extensions.Logging;

namespace Everheap.Vm;

/// <summary>Hands what the engine warns of to <see cref="ProcessOptions.Diagnostics"/>.</summary>
internal sealed class DiagnosticsLogger(Action<string> diagnostics) : ILogger
{
    /// <summary>A logger for these diagnostics; null for none.</summary>
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
