using Everheap.Vm.Modules;
using Everheap.Vm.Validation;

namespace Everheap.Spec.Tests.Differential;

/// <summary>An instruction without immediates that computes a value from values.</summary>
internal sealed record Operator(Opcode Opcode, ValType[] Parameters, ValType Result);

/// <summary>The operators that there are, by the type of their result.</summary>
internal static class Operators
{
    private static readonly ILookup<ValType, Operator> ByResult = All().ToLookup(one => one.Result);

    /// <summary>The operators with a result of a type.</summary>
    public static Operator[] Giving(ValType type) => [.. ByResult[type]];

    private static IEnumerable<Operator> All()
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
}
