namespace Everheap.Vm;

/// <summary>What has become of a program.</summary>
public enum ProcessState
{
    /// <summary>It can go on: it was suspended, or killed.</summary>
    Suspended = 0,

    /// <summary>It ended by itself.</summary>
    Exited = 1,

    /// <summary>A trap ended it.</summary>
    Trapped = 2,
}
