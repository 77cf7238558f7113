namespace Everheap.Vm;

/// <summary>How a program's linear memory is reached. It makes no difference to what the program does, or to what is in the file.</summary>
public enum MemoryAddressing
{
    /// <summary>
    /// In one piece as long as the memory takes up no more than half of the budget (<see cref="ProcessOptions.ResidentBytes"/>), and no more than
    /// <see cref="ProcessOptions.CheckpointDirtyBytes"/>; by pages from the moment it has outgrown that. In one piece, the program runs faster, the whole memory is read when
    /// a program is resumed, and a checkpoint stops the program for as long as it takes to copy what has changed (about 0.1 ms a MiB).
    /// </summary>
    Automatic,

    /// <summary>By pages: what is used is loaded when it is used, and a checkpoint stops the program for an instant only.</summary>
    Paged,
}
