namespace System.Runtime.CompilerServices;

/// <summary>Lets compiled code call this assembly's internal methods; the runtime looks for the attribute by name.</summary>
/// <param name="assemblyName">The assembly whose access checks are waived.</param>
[AttributeUsage(AttributeTargets.Assembly, AllowMultiple = true)]
internal sealed class IgnoresAccessChecksToAttribute(string assemblyName) : Attribute
{
    /// <summary>The assembly whose access checks are waived.</summary>
    public string AssemblyName { get; } = assemblyName;
}
