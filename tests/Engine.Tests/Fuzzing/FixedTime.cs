namespace Everheap.Engine.Tests.Fuzzing;

/// <summary>A clock that stands, so that the same seed makes the same store.</summary>
internal sealed class FixedTime : TimeProvider
{
    public static readonly FixedTime Provider = new();

    public override DateTimeOffset GetUtcNow() => new(2025, 1, 1, 0, 0, 0, TimeSpan.Zero);
}
