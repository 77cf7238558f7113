using Everheap.Vm.Modules;
using Everheap.Vm.Validation;

namespace Everheap.Spec.Tests.Differential;

/// <summary>An instruction that computes a value from values.</summary>
/// <param name="Opcode">The instruction.</param>
/// <param name="Parameters">What it takes.</param>
/// <param name="Result">What it leaves.</param>
/// <param name="Lanes">Where its immediate is a lane: how many there are; else 0.</param>
internal sealed record Operator(Opcode Opcode, ValType[] Parameters, ValType Result, int Lanes = 0);

/// <summary>The operators that there are, by the type of their result.</summary>
internal static class Operators
{
    private static readonly Dictionary<ValType, Operator[]> OfScalars = ByResult(Scalars());
    private static readonly Dictionary<ValType, Operator[]> WithVectors = ByResult(Scalars().Concat(Vectors()));

    /// <summary>The operators with a result of a type.</summary>
    public static Operator[] Giving(ValType type, bool withVectors) => (withVectors ? WithVectors : OfScalars)[type];

    private static Dictionary<ValType, Operator[]> ByResult(IEnumerable<Operator> operators) =>
        operators.GroupBy(one => one.Result).ToDictionary(group => group.Key, group => group.ToArray());

    private static IEnumerable<Operator> Scalars()
    {
        for (Opcode opcode = Opcode.I32Eqz; opcode <= Opcode.I64Extend32S; opcode++)
        {
            NumericSignature type = Signatures.OfNumeric(opcode);
            yield return new Operator(opcode, type.IsBinary ? [type.Operand, type.Operand] : [type.Operand], type.Result);
        }

        for (Opcode opcode = Opcode.I32TruncSatF32S; opcode <= Opcode.I64TruncSatF64U; opcode++)
        {
            NumericSignature type = Signatures.OfSaturating(opcode);
            yield return new Operator(opcode, [type.Operand], type.Result);
        }
    }

    // The types are taken from the names, on purpose not from the table that the validator has.
    private static IEnumerable<Operator> Vectors()
    {
        foreach (Opcode opcode in Enum.GetValues<Opcode>().Where(opcode => opcode >= Opcode.I8x16Shuffle && opcode <= Opcode.F64x2ConvertLowI32x4U))
        {
            if (opcode == Opcode.I8x16Shuffle)
            {
                yield return new Operator(opcode, [ValType.V128, ValType.V128], ValType.V128);
            }
            else if (!IsAccess(opcode))
            {
                yield return OfName(opcode, opcode.ToString());
            }
        }
    }

    private static bool IsAccess(Opcode opcode) => opcode >= Opcode.V128Load8Lane && opcode <= Opcode.V128Load64Zero;

    private static Operator OfName(Opcode opcode, string name)
    {
        string shape = name[..5];
        string action = name.StartsWith("V128", StringComparison.Ordinal) ? name[4..] : name[5..];
        (ValType lane, int lanes) = shape switch
        {
            "I8x16" => (ValType.I32, 16),
            "I16x8" => (ValType.I32, 8),
            "I32x4" => (ValType.I32, 4),
            "I64x2" => (ValType.I64, 2),
            "F32x4" => (ValType.F32, 4),
            _ => (ValType.F64, 2),
        };
        return action switch
        {
            "Splat" => new Operator(opcode, [lane], ValType.V128),
            "ReplaceLane" => new Operator(opcode, [ValType.V128, lane], ValType.V128, lanes),
            "AnyTrue" or "AllTrue" or "Bitmask" => new Operator(opcode, [ValType.V128], ValType.I32),
            "Shl" or "ShrS" or "ShrU" => new Operator(opcode, [ValType.V128, ValType.I32], ValType.V128),
            "Bitselect" => new Operator(opcode, [ValType.V128, ValType.V128, ValType.V128], ValType.V128),
            _ when action.StartsWith("ExtractLane", StringComparison.Ordinal) => new Operator(opcode, [ValType.V128], lane, lanes),
            _ when IsUnary(action) => new Operator(opcode, [ValType.V128], ValType.V128),
            _ => new Operator(opcode, [ValType.V128, ValType.V128], ValType.V128),
        };
    }

    private static bool IsUnary(string action) =>
        action is "Not" or "Abs" or "Neg" or "Popcnt" or "Sqrt" or "Ceil" or "Floor" or "Trunc" or "Nearest"
        || action.StartsWith("Extend", StringComparison.Ordinal) || action.StartsWith("Extadd", StringComparison.Ordinal) || action.StartsWith("TruncSat", StringComparison.Ordinal)
        || action.StartsWith("Convert", StringComparison.Ordinal) || action.StartsWith("Demote", StringComparison.Ordinal) || action.StartsWith("Promote", StringComparison.Ordinal);
}
