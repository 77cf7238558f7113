using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.Intrinsics;
using Everheap.Vm.Execution.Vectors;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>
/// The vector operators: which method computes which instruction. Where a method of <see cref="Vector128"/> means exactly what the instruction does, it is called directly: the JIT
/// knows these by name, and counts nothing against what it may inline. All others are in <see cref="Execution.Vectors"/>, by the instruction's name. Any thread.
/// </summary>
internal static partial class VectorOperators
{
    private static readonly Type[] Own =
    [
        typeof(VectorIntegers), typeof(VectorWidths), typeof(VectorFloats), typeof(VectorConversions), typeof(VectorLanes), typeof(VectorRelaxed),
    ];

    // Looked up as they are met: few programs use more than some dozen.
    private static readonly ConcurrentDictionary<Opcode, VectorOperator?> Known = new();

    /// <summary>The operator that computes an instruction, or what a load makes of the bytes it finds; null where there is none.</summary>
    public static VectorOperator? Find(Opcode opcode) => opcode < Opcode.V128Load ? null : Known.GetOrAdd(opcode, LookUp);

    private static VectorOperator? LookUp(Opcode opcode)
    {
        if (Direct.TryGetValue(opcode, out (string Method, Type Lane) direct))
        {
            return new VectorOperator(MethodOf(direct.Method, direct.Lane), direct.Method is nameof(Vector128.GetElement) or nameof(Vector128.WithElement));
        }

        MethodInfo? own = Own.Select(type => type.GetMethod(NameOf(opcode), BindingFlags.Public | BindingFlags.Static)).FirstOrDefault(method => method is not null);
        return own is null ? null : new VectorOperator(own, takesLane: false);
    }

    // Those that are not relaxed in what they answer here are the operator without that word.
    private static string NameOf(Opcode opcode) => opcode switch
    {
        Opcode.I8x16RelaxedLaneselect or Opcode.I16x8RelaxedLaneselect or Opcode.I32x4RelaxedLaneselect or Opcode.I64x2RelaxedLaneselect => nameof(VectorIntegers.V128Bitselect),
        Opcode.I16x8RelaxedQ15mulrS => nameof(VectorIntegers.I16x8Q15mulrSatS),
        Opcode.I32x4RelaxedTruncF64x2SZero => nameof(VectorConversions.I32x4TruncSatF64x2SZero),
        Opcode.I32x4RelaxedTruncF64x2UZero => nameof(VectorConversions.I32x4TruncSatF64x2UZero),
        _ => opcode.ToString(),
    };

    // The overload of vectors alone, or else of the lane's number too.
    private static MethodInfo MethodOf(string name, Type lane)
    {
        Type vector = typeof(Vector128<>).MakeGenericType(lane);
        MethodInfo[] overloads =
        [
            .. typeof(Vector128).GetMethods(BindingFlags.Public | BindingFlags.Static)
                .Where(method => method.Name == name && method.GetGenericArguments().Length <= 1)
                .Select(method => method.IsGenericMethodDefinition ? method.MakeGenericMethod(lane) : method),
        ];
        return Array.Find(overloads, method => Array.TrueForAll(method.GetParameters(), parameter => parameter.ParameterType == vector))
            ?? Array.Find(overloads, method => IsOfLane(Array.ConvertAll(method.GetParameters(), parameter => parameter.ParameterType), vector, lane))
            ?? throw new MissingMethodException(nameof(Vector128), $"{name} of {lane.Name}");
    }

    private static bool IsOfLane(Type[] parameters, Type vector, Type lane) => parameters switch
    {
        [Type value] => value == lane,
        [Type first, Type number] => first == vector && number == typeof(int),
        [Type first, Type number, Type value] => first == vector && number == typeof(int) && value == lane,
        _ => false,
    };
}
