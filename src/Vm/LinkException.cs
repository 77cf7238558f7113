namespace Everheap.Vm;

/// <summary>A module needs something from its host that is not there, or is not a program.</summary>
/// <param name="message">What is needed, and what to do.</param>
public sealed class LinkException(string message) : Exception(message);
