using Everheap.Vm.Modules;

namespace Everheap.Vm.Validation;

/// <summary>What a vector instruction without memory or lane takes and leaves.</summary>
internal enum VectorShape
{
    /// <summary>A vector; leaves one.</summary>
    Unary,

    /// <summary>Two vectors; leaves one.</summary>
    Binary,

    /// <summary>Three vectors; leaves one.</summary>
    Ternary,

    /// <summary>A vector; leaves an i32.</summary>
    Test,

    /// <summary>A vector and an i32; leaves a vector.</summary>
    Shift,
}

/// <summary>An access that moves a vector, or part of one.</summary>
/// <param name="AlignmentExponentMax">Its natural alignment.</param>
/// <param name="LaneCount">How many lanes there are to choose from; 0 where none is chosen.</param>
/// <param name="IsStore">Whether it writes to memory.</param>
internal readonly record struct VectorAccess(int AlignmentExponentMax, int LaneCount, bool IsStore);

/// <summary>The types of the vector instructions (core specification, section 3.4.8).</summary>
internal static class VectorSignatures
{
    private const int VectorBytes = 16;

    /// <summary>Whether an instruction accesses memory, and how.</summary>
    public static VectorAccess? AccessOf(Opcode opcode) => opcode switch
    {
        Opcode.V128Load or Opcode.V128Store => new VectorAccess(4, 0, opcode == Opcode.V128Store),
        >= Opcode.V128Load8x8S and <= Opcode.V128Load32x2U => new VectorAccess(3, 0, IsStore: false),
        >= Opcode.V128Load8Splat and <= Opcode.V128Load64Splat => new VectorAccess(opcode - Opcode.V128Load8Splat, 0, IsStore: false),
        >= Opcode.V128Load8Lane and <= Opcode.V128Load64Lane => OfLane(opcode - Opcode.V128Load8Lane, isStore: false),
        >= Opcode.V128Store8Lane and <= Opcode.V128Store64Lane => OfLane(opcode - Opcode.V128Store8Lane, isStore: true),
        Opcode.V128Load32Zero => new VectorAccess(2, 0, IsStore: false),
        Opcode.V128Load64Zero => new VectorAccess(3, 0, IsStore: false),
        _ => null,
    };

    /// <summary>The number type of the lanes of a splat, or of an instruction that extracts or replaces a lane; and how many there are.</summary>
    public static (ValType Type, int Count) LanesOf(Opcode opcode) => opcode switch
    {
        Opcode.I8x16Splat or Opcode.I8x16ExtractLaneS or Opcode.I8x16ExtractLaneU or Opcode.I8x16ReplaceLane => (ValType.I32, 16),
        Opcode.I16x8Splat or Opcode.I16x8ExtractLaneS or Opcode.I16x8ExtractLaneU or Opcode.I16x8ReplaceLane => (ValType.I32, 8),
        Opcode.I32x4Splat or Opcode.I32x4ExtractLane or Opcode.I32x4ReplaceLane => (ValType.I32, 4),
        Opcode.I64x2Splat or Opcode.I64x2ExtractLane or Opcode.I64x2ReplaceLane => (ValType.I64, 2),
        Opcode.F32x4Splat or Opcode.F32x4ExtractLane or Opcode.F32x4ReplaceLane => (ValType.F32, 4),
        _ => (ValType.F64, 2),
    };

    /// <summary>Whether an instruction puts a number into one lane.</summary>
    public static bool IsReplaceLane(Opcode opcode) => opcode is Opcode.I8x16ReplaceLane or Opcode.I16x8ReplaceLane or Opcode.I32x4ReplaceLane
        or Opcode.I64x2ReplaceLane or Opcode.F32x4ReplaceLane or Opcode.F64x2ReplaceLane;

    /// <summary>What every other vector instruction takes and leaves.</summary>
    public static VectorShape ShapeOf(Opcode opcode) => opcode switch
    {
        Opcode.V128AnyTrue or Opcode.I8x16AllTrue or Opcode.I8x16Bitmask or Opcode.I16x8AllTrue or Opcode.I16x8Bitmask
            or Opcode.I32x4AllTrue or Opcode.I32x4Bitmask or Opcode.I64x2AllTrue or Opcode.I64x2Bitmask => VectorShape.Test,
        (>= Opcode.I8x16Shl and <= Opcode.I8x16ShrU) or (>= Opcode.I16x8Shl and <= Opcode.I16x8ShrU)
            or (>= Opcode.I32x4Shl and <= Opcode.I32x4ShrU) or (>= Opcode.I64x2Shl and <= Opcode.I64x2ShrU) => VectorShape.Shift,
        Opcode.V128Bitselect or (>= Opcode.F32x4RelaxedMadd and <= Opcode.I64x2RelaxedLaneselect) or Opcode.I32x4RelaxedDotI8x16I7x16AddS => VectorShape.Ternary,
        Opcode.V128Not or Opcode.F32x4DemoteF64x2Zero or Opcode.F64x2PromoteLowF32x4
            or Opcode.I8x16Abs or Opcode.I8x16Neg or Opcode.I8x16Popcnt or Opcode.I16x8Abs or Opcode.I16x8Neg
            or Opcode.I32x4Abs or Opcode.I32x4Neg or Opcode.I64x2Abs or Opcode.I64x2Neg
            or Opcode.F32x4Abs or Opcode.F32x4Neg or Opcode.F32x4Sqrt or Opcode.F64x2Abs or Opcode.F64x2Neg or Opcode.F64x2Sqrt
            or (>= Opcode.F32x4Ceil and <= Opcode.F32x4Nearest) or Opcode.F64x2Ceil or Opcode.F64x2Floor or Opcode.F64x2Trunc or Opcode.F64x2Nearest
            or (>= Opcode.I16x8ExtaddPairwiseI8x16S and <= Opcode.I32x4ExtaddPairwiseI16x8U)
            or (>= Opcode.I16x8ExtendLowI8x16S and <= Opcode.I16x8ExtendHighI8x16U)
            or (>= Opcode.I32x4ExtendLowI16x8S and <= Opcode.I32x4ExtendHighI16x8U)
            or (>= Opcode.I64x2ExtendLowI32x4S and <= Opcode.I64x2ExtendHighI32x4U)
            or (>= Opcode.I32x4TruncSatF32x4S and <= Opcode.F64x2ConvertLowI32x4U)
            or (>= Opcode.I32x4RelaxedTruncF32x4S and <= Opcode.I32x4RelaxedTruncF64x2UZero) => VectorShape.Unary,
        _ => VectorShape.Binary,
    };

    private static VectorAccess OfLane(int exponent, bool isStore) => new(exponent, VectorBytes >> exponent, isStore);
}
