using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests.Differential;

/// <summary>A function that generated modules import.</summary>
internal sealed record HostFunctionPlan(string Name, FunctionType Type);

/// <summary>An immutable global that generated modules import.</summary>
internal sealed record HostGlobalPlan(string Name, ValType Type, ulong Bits);

/// <summary>What every generated module imports, in this order.</summary>
internal static class HostInterface
{
    public const string ModuleName = "host";

    public const int LogI32 = 0;
    public const int LogI64 = 1;
    public const int LogF32 = 2;
    public const int LogF64 = 3;
    public const int LogExtern = 4;
    public const int Mix = 5;
    public const int Split = 6;
    public const int Poke = 7;
    public const int MakeExtern = 8;
    public const int Fail = 9;

    /// <summary>Of so many calls of <see cref="Fail"/> with random numbers, one fails.</summary>
    public const int FailEvery = 8;

    public static IReadOnlyList<HostFunctionPlan> Functions { get; } =
    [
        new("log_i32", new FunctionType([ValType.I32], [])),
        new("log_i64", new FunctionType([ValType.I64], [])),
        new("log_f32", new FunctionType([ValType.F32], [])),
        new("log_f64", new FunctionType([ValType.F64], [])),
        new("log_extern", new FunctionType([ValType.ExternRef], [])),
        new("mix", new FunctionType([ValType.I32, ValType.I64, ValType.F32, ValType.F64], [ValType.I64])),
        new("split", new FunctionType([ValType.I64], [ValType.I32, ValType.F64, ValType.I64])),
        new("poke", new FunctionType([ValType.I32, ValType.I64], [ValType.I32])),
        new("make_extern", new FunctionType([ValType.I32], [ValType.ExternRef])),
        new("fail", new FunctionType([ValType.I32], [])),
    ];

    public static IReadOnlyList<HostGlobalPlan> Globals { get; } =
    [
        new("g_i32", ValType.I32, 77),
        new("g_i64", ValType.I64, 0x8000_0000_0000_0001),
        new("g_f32", ValType.F32, BitConverter.SingleToUInt32Bits(-0.75f)),
        new("g_f64", ValType.F64, BitConverter.DoubleToUInt64Bits(1e300)),
    ];

    /// <summary>The function that shows a value of a type.</summary>
    public static int LogOf(ValType type) => type switch
    {
        ValType.I32 => LogI32,
        ValType.I64 => LogI64,
        ValType.F32 => LogF32,
        ValType.F64 => LogF64,
        ValType.ExternRef => LogExtern,
        _ => throw new ArgumentOutOfRangeException(nameof(type)),
    };
}
