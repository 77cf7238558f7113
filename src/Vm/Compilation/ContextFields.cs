using System.Runtime.CompilerServices;
using Everheap.Vm.Execution;

namespace Everheap.Vm.Compilation;

/// <summary>The fields of <see cref="CodeContext"/> that compiled code reaches, each by the name that it has there.</summary>
internal static class ContextFields
{
    public static readonly NativeField Left = Named();
    public static readonly NativeField StackLimit = Named();
    public static readonly NativeField LoadTable = Named();
    public static readonly NativeField MemoryBytes = Named();
    public static readonly NativeField MemoryBase = Named();
    public static readonly NativeField DirtyMap = Named();
    public static readonly NativeField Group = Named();
    public static readonly NativeField Slots = Named();
    public static readonly NativeField Functions = Named();
    public static readonly NativeField Callee = Named();
    public static readonly NativeField Tables = Named();
    public static readonly NativeField ImportedGlobals = Named();
    public static readonly NativeField Imports = Named();
    public static readonly NativeField FunctionReferences = Named();
    public static readonly NativeField NoBits = Named();
    public static readonly NativeField One = Named();
    public static readonly NativeField Zero = Named();
    public static readonly NativeField OneSingle = Named();
    public static readonly NativeField ZeroSingle = Named();

    /// <summary>The last address for an access, by the logarithm of its bytes.</summary>
    public static readonly NativeField[] Last =
    [
        Named(nameof(CodeContext.Last8)), Named(nameof(CodeContext.Last16)), Named(nameof(CodeContext.Last32)), Named(nameof(CodeContext.Last64)), Named(nameof(CodeContext.Last128)),
    ];

    private static NativeField Named([CallerMemberName] string name = "") => NativeField.Of<CodeContext>(name);
}
