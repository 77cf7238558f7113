namespace Everheap.Vm;

/// <summary>A host directory that a program may use.</summary>
/// <param name="HostPath">The directory on the host.</param>
/// <param name="GuestPath">The path under which the program sees it.</param>
public sealed record DirectoryMapping(string HostPath, string GuestPath);
