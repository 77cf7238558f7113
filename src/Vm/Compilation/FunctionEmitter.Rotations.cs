using System.Reflection.Emit;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <content>
/// The JIT of .NET 10 takes it that on x64 a rotation by a constant sets the zero flag, which it does not, and leaves out the test of its result (dotnet/runtime,
/// issue 129288): <c>if (rotl(x, 5))</c> goes by whatever set the flag before. So what is tested and may be a rotation goes through an instruction that sets the flag, and
/// that the JIT cannot leave out. In the hash functions that rotate, their state is hardly ever tested.
/// </content>
internal sealed partial class FunctionEmitter
{
    /// <summary>What a rotation was stored to so far: locals, and the complements of slots. The JIT may move the value on from there to the test.</summary>
    private readonly HashSet<int> _rotated = [];

    /// <summary>Emits a value that is tested against zero, or compared with what the JIT may know to be zero.</summary>
    private void EmitTested(Node node)
    {
        EmitNode(node);
        if (!MayBeRotation(node))
        {
            return;
        }

        // The value again. Two negations would do, if the JIT did not find out now and then that they cancel out each other.
        _il.Emit(OpCodes.Ldarg_0);
        ContextFields.NoBits.EmitLoad(_il);
        if (node.Type == ValType.I32)
        {
            _il.Emit(OpCodes.Conv_I4);
        }

        _il.Emit(OpCodes.Xor);
    }

    /// <summary>Notes what was stored.</summary>
    /// <param name="value">The value.</param>
    /// <param name="target">A local, or the complement of a slot.</param>
    private void NoteRotation(Node value, int target)
    {
        if (MayBeRotation(value))
        {
            _rotated.Add(target);
        }
    }

    private bool MayBeRotation(Node node) => node.HasRotation || (_rotated.Count > 0 && ReadsRotated(node));

    private bool ReadsRotated(Node node) => node.Kind switch
    {
        NodeKind.Local => _rotated.Contains(node.Index),
        NodeKind.Slot => _rotated.Contains(~node.Index),
        NodeKind.Operator => !Node.IsComparison(node.Opcode)
            && (ReadsRotated(node.First!) || (node.Second is not null && ReadsRotated(node.Second)) || (node.Third is not null && ReadsRotated(node.Third))),
        _ => false,
    };
}
