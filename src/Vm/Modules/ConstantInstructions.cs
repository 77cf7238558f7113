namespace Everheap.Vm.Modules;

/// <summary>The instructions that a constant expression may consist of (core specification, section 3.4.13).</summary>
internal static class ConstantInstructions
{
    /// <summary>Whether an instruction is constant. Of <c>global.get</c>, that depends on the global as well.</summary>
    public static bool Contains(Opcode opcode) => opcode is Opcode.I32Const or Opcode.I64Const or Opcode.F32Const or Opcode.F64Const or Opcode.V128Const
        or Opcode.GlobalGet or Opcode.RefNull or Opcode.RefFunc || IsArithmetic(opcode) || IsOfObjects(opcode);

    /// <summary>Whether it is arithmetic on integers.</summary>
    public static bool IsArithmetic(Opcode opcode) =>
        opcode is Opcode.I32Add or Opcode.I32Sub or Opcode.I32Mul or Opcode.I64Add or Opcode.I64Sub or Opcode.I64Mul;

    /// <summary>Whether it makes or converts an object.</summary>
    public static bool IsOfObjects(Opcode opcode) => opcode is Opcode.RefI31 or Opcode.StructNew or Opcode.StructNewDefault
        or Opcode.ArrayNew or Opcode.ArrayNewDefault or Opcode.ArrayNewFixed or Opcode.AnyConvertExtern or Opcode.ExternConvertAny;
}
