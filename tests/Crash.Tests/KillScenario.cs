namespace Everheap.Crash.Tests;

/// <summary>A program to kill, and how it is run.</summary>
/// <param name="Path">A folder below the guests such as <c>apps/lua</c>; null for a sample.</param>
/// <param name="Program">The module's name.</param>
/// <param name="Case">Its case.</param>
/// <param name="Output">Where its output goes.</param>
/// <param name="Options">Options of <c>run</c> and <c>resume</c>.</param>
internal sealed record KillScenario(string? Path, string Program, string Case, OutputKind Output, params string[] Options)
{
    public bool IsAvailable => Path is null || Directory.Exists(System.IO.Path.Combine(RepositoryFolders.Guests, Path));

    public GuestCase Load() => Path is null ? GuestCase.Sample(Program, Case) : GuestCase.Guest(Path, Case);

    public override string ToString() => $"{Program}_{Case}_to_a_{Output.ToString().ToLowerInvariant()}";
}
