namespace Everheap.Spec.Tests;

/// <summary>A command needs something that the virtual machine does not offer.</summary>
internal sealed class LeftOutException(string reason) : Exception(reason);
