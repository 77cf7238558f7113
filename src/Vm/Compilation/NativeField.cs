using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.InteropServices;

namespace Everheap.Vm.Compilation;

/// <summary>
/// A field of a structure in native memory, as compiled code reaches it: by its offset. IL's own way names the field by a token, which the emitter and the JIT look up wherever it stands: a twentieth of the time that
/// they take.
/// </summary>
/// <param name="Offset">Bytes from the start of the structure.</param>
/// <param name="Load">Takes an address and loads the field's value.</param>
/// <param name="Store">Takes an address and a value, and stores it.</param>
internal readonly record struct NativeField(int Offset, OpCode Load, OpCode Store)
{
    /// <summary>A field of a structure that has the same layout in native memory.</summary>
    /// <exception cref="MissingFieldException">There is no such field.</exception>
    /// <exception cref="NotSupportedException">It is of a type that compiled code has no use for.</exception>
    public static NativeField Of<T>(string name)
        where T : unmanaged
    {
        FieldInfo field = typeof(T).GetField(name) ?? throw new MissingFieldException(typeof(T).Name, name);
        Type type = field.FieldType.IsPointer ? typeof(nint) : field.FieldType;
        (OpCode load, OpCode store) = type == typeof(nint) ? (OpCodes.Ldind_I, OpCodes.Stind_I)
            : type == typeof(int) ? (OpCodes.Ldind_I4, OpCodes.Stind_I4)
            : type == typeof(long) || type == typeof(ulong) ? (OpCodes.Ldind_I8, OpCodes.Stind_I8)
            : type == typeof(float) ? (OpCodes.Ldind_R4, OpCodes.Stind_R4)
            : type == typeof(double) ? (OpCodes.Ldind_R8, OpCodes.Stind_R8)
            : throw new NotSupportedException($"The field {name} of {typeof(T).Name} is a {type.Name}.");
        return new NativeField((int)Marshal.OffsetOf<T>(name), load, store);
    }

    /// <summary>Puts the field's value in the place of its structure's address.</summary>
    public void EmitLoad(ILGenerator il)
    {
        EmitAddress(il);
        il.Emit(Load);
    }

    /// <summary>Stores a value in the field; the address of its structure is on the evaluation stack.</summary>
    public void EmitStore(ILGenerator il, Action<ILGenerator> value)
    {
        EmitAddress(il);
        value(il);
        il.Emit(Store);
    }

    private void EmitAddress(ILGenerator il)
    {
        if (Offset is > 0 and <= sbyte.MaxValue)
        {
            il.Emit(OpCodes.Ldc_I4_S, (sbyte)Offset);
            il.Emit(OpCodes.Add);
        }
        else if (Offset != 0)
        {
            il.Emit(OpCodes.Ldc_I4, Offset);
            il.Emit(OpCodes.Add);
        }
    }
}
