namespace Everheap.Vm.Benchmarks.Programs;

/// <summary>One program with its arguments and what it must print.</summary>
/// <param name="Name">The program's name, as in the tables.</param>
/// <param name="ModulePath">The .wasm file.</param>
/// <param name="Arguments">Arguments after the program's own name.</param>
/// <param name="ExpectedOutput">What it must print, without any <c>secs=</c> line; line ends are <c>\n</c>.</param>
internal sealed record GuestProgram(string Name, string ModulePath, IReadOnlyList<string> Arguments, string ExpectedOutput);

/// <summary>How much work each program gets.</summary>
internal enum ProgramSize
{
    /// <summary>Some hundredths of a second each: to see that everything works.</summary>
    Smoke,

    /// <summary>About a second each: for figures.</summary>
    Default,
}
