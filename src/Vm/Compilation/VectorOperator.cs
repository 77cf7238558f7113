using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.Intrinsics;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>
/// An operator on vectors: the method that computes it. Vectors are <c>Vector128&lt;byte&gt;</c> in all compiled code; a method may take and give lanes of any type, as which the same
/// bits are seen.
/// </summary>
internal sealed class VectorOperator
{
    private static readonly MethodInfo AsMethod = typeof(Vector128).GetMethod(nameof(Vector128.As), 2, [typeof(Vector128<>).MakeGenericType(Type.MakeGenericMethodParameter(0))])!;

    private readonly MethodInfo _method;

    /// <param name="method">The method: its parameters are the operands, with the number of a lane behind the first if <paramref name="takesLane"/>.</param>
    /// <param name="takesLane">Whether the instruction has a lane.</param>
    public VectorOperator(MethodInfo method, bool takesLane)
    {
        _method = method;
        TakesLane = takesLane;
        Type[] parameters = [.. method.GetParameters().Select(parameter => parameter.ParameterType)];
        OperandTypes = takesLane ? [parameters[0], .. parameters[2..]] : parameters;
        Operands = [.. OperandTypes.Select(TypeOf)];
        Result = TypeOf(method.ReturnType);
    }

    /// <summary>Whether the number of a lane is to be loaded behind the first operand.</summary>
    public bool TakesLane { get; }

    /// <summary>What the method takes.</summary>
    public Type[] OperandTypes { get; }

    /// <summary>The types of the operands.</summary>
    public ValType[] Operands { get; }

    /// <summary>The type of the result.</summary>
    public ValType Result { get; }

    /// <summary>Emits the call, behind the operands. A vector that it leaves is seen as one of the lanes that are wanted.</summary>
    public void Emit(ILGenerator il, Type wanted)
    {
        il.Emit(OpCodes.Call, _method);
        EmitAs(il, _method.ReturnType, wanted);
    }

    /// <summary>As <see cref="Emit(ILGenerator, Type)"/>, leaving a vector as compiled code keeps them.</summary>
    public void Emit(ILGenerator il) => Emit(il, typeof(Vector128<byte>));

    /// <summary>Sees a vector's bits as lanes of another type; nothing where either type is not a vector's.</summary>
    public static void EmitAs(ILGenerator il, Type from, Type to)
    {
        if (from != to && from.IsGenericType && to.IsGenericType)
        {
            il.Emit(OpCodes.Call, AsMethod.MakeGenericMethod(from.GenericTypeArguments[0], to.GenericTypeArguments[0]));
        }
    }

    private static ValType TypeOf(Type type) => type.IsGenericType ? ValType.V128 : Type.GetTypeCode(type) switch
    {
        TypeCode.Int64 or TypeCode.UInt64 => ValType.I64,
        TypeCode.Single => ValType.F32,
        TypeCode.Double => ValType.F64,
        _ => ValType.I32,
    };
}
