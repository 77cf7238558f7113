namespace Everheap.Vm.Tests.Wasi;

/// <summary>Stands for the death of the process at a step.</summary>
internal sealed class SimulatedKillException : Exception;
