using System.Diagnostics;

namespace Everheap.Engine;

/// <summary>The names under which the engine publishes what it does: a meter and an activity source of the same name. Log lines go to <see cref="HeapStoreOptions.Logger"/>.</summary>
public static class EngineTelemetry
{
    /// <summary>The name of the meter and of the activity source.</summary>
    public const string Name = "Everheap.Engine";

    /// <summary>The source of activities: <c>checkpoint</c> from seal to durable, <c>commit</c>, <c>compact</c>, <c>verify</c>.</summary>
    internal static ActivitySource Activities { get; } = new(Name, typeof(EngineTelemetry).Assembly.GetName().Version?.ToString());
}
