using Microsoft.Extensions.Logging;

namespace Everheap.Vm;

/// <summary>Hands what the engine warns of, a line each, to <see cref="ProcessOptions.Diagnostics"/> or another receiver of lines.</summary>
/// <param name="diagnostics">Told. Any thread.</param>
public sealed class DiagnosticsLogger(Action<string> diagnostics) : ILogger
{
    /// <summary>A logger for these diagnostics; null for none.</summary>
    /// <param name="diagnostics">Told. Any thread.</param>
    /// <returns>The logger.</returns>
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
