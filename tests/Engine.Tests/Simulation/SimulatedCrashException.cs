namespace Everheap.Engine.Tests.Simulation;

/// <summary>Thrown by every I/O of a <see cref="SimulatedMedium"/> from the moment of its crash on.</summary>
internal sealed class SimulatedCrashException(long ioIndex) : IOException($"The simulated machine crashed at I/O {ioIndex}.");
