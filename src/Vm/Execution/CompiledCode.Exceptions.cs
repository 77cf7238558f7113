using System.Runtime.CompilerServices;

namespace Everheap.Vm.Execution;

/// <content>Exceptions.</content>
internal static unsafe partial class CompiledCode
{
    /// <summary>Throws an exception with the values in the slots.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Throw(CodeContext* context, int tag, int function, int offset) => Instance.Of(context).Throw(tag, function, offset);

    /// <summary>Throws an exception again; traps where the reference is null.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void ThrowReference(CodeContext* context, long reference, int function, int offset)
    {
        Instance instance = Instance.Of(context);
        instance.Group.ThrowReference(instance, (ulong)reference, function, offset);
    }

    /// <summary>Whether the exception in flight is of a tag.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static bool IsThrown(CodeContext* context, int tag)
    {
        Instance instance = Instance.Of(context);
        return instance.Group.IsThrown(instance.TagAt(tag));
    }

    /// <summary>Takes the exception in flight: its values are in the slots.</summary>
    /// <returns>A reference to it, where one is wanted.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static long Catch(CodeContext* context, int isKept) => (long)Instance.Of(context).Group.Catch(isKept != 0);

    /// <summary>The exception in flight leaves a function.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void TraceException(CodeContext* context, int function, int offset)
    {
        Instance instance = Instance.Of(context);
        instance.Group.TraceException(instance, function, offset);
    }
}
