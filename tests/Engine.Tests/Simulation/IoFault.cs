namespace Everheap.Engine.Tests.Simulation;

/// <summary>A fault planned for one I/O of a <see cref="SimulatedMedium"/>.</summary>
internal enum IoFault
{
    /// <summary>The operation fails with an input/output error; a write may have got some way, a flush may have lost anything.</summary>
    Error,

    /// <summary>The operation fails because the medium is full.</summary>
    Full,
}
