namespace Everheap.Vm.Benchmarks.Running;

/// <summary>What one run of a program gave.</summary>
/// <param name="ProgramSeconds">By the program's own clock (its <c>secs=</c> line), or, where it prints none, from its first instruction to its last, as its peer sees it.</param>
/// <param name="TotalSeconds">The whole process, seen from outside.</param>
/// <param name="PeakKibibytes">The most memory that was resident.</param>
internal sealed record RunResult(double ProgramSeconds, double TotalSeconds, long PeakKibibytes);

/// <summary>How soon a program began.</summary>
/// <param name="Seconds">From the start of the process to the program's first output, seen from outside.</param>
/// <param name="PeakKibibytes">The most memory that was resident until then; null where the system does not tell.</param>
internal sealed record FirstOutput(double Seconds, long? PeakKibibytes);
