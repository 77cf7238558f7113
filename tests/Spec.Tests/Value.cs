using System.Globalization;
using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests;

/// <summary>A constant in a script: an argument, or what a result must be.</summary>
/// <param name="Type">Its type; <see cref="ValType.Bottom"/> where a reference of any type is meant.</param>
/// <param name="Bits">Its bits, zero-extended, as the virtual machine holds them: references are numbers, zero is null. Of a vector, the low half.</param>
/// <param name="Pattern">Which values a result may have.</param>
internal readonly record struct Value(ValType Type, ulong Bits, ResultPattern Pattern = ResultPattern.Exactly)
{
    private const ulong F32Quiet = 0x7FC0_0000;
    private const ulong F64Quiet = 0x7FF8_0000_0000_0000;

    /// <summary>The high half of a vector.</summary>
    public ulong HighBits { get; init; }

    /// <summary>What is wanted of each lane of a vector of floating-point numbers; empty for others.</summary>
    public Value[] Lanes { get => field ?? []; init; }

    /// <summary>Its bits, in units of 8 bytes, as the virtual machine takes arguments.</summary>
    public ulong[] Units => Type == ValType.V128 ? [Bits, HighBits] : [Bits];

    /// <summary>Reads <c>(i32.const 1)</c> and the like; null where the script wants a value of a feature that is not supported.</summary>
    public static Value? Read(SExpression node)
    {
        string text = node.Items!.Count > 1 ? node.Items[1].Atom ?? "" : "";
        return node.Head switch
        {
            "i32.const" => ReadNumber(ValType.I32, text),
            "i64.const" => ReadNumber(ValType.I64, text),
            "f32.const" => ReadNumber(ValType.F32, text),
            "f64.const" => ReadNumber(ValType.F64, text),
            "v128.const" => VectorLiteral.Read(node),
            "ref.null" => new Value(ValType.Bottom, 0),
            "ref.extern" when text.Length > 0 => new Value(ValType.ExternRef, ReadInteger(text) + 1),
            "ref.extern" => new Value(ValType.ExternRef, 0, ResultPattern.NotNull),
            "ref.func" => new Value(ValType.FuncRef, 0, ResultPattern.NotNull),
            _ => null,
        };
    }

    /// <summary>Reads a number, or a pattern for one.</summary>
    public static Value ReadNumber(ValType type, string text) => type switch
    {
        ValType.I32 => new Value(type, (uint)ReadInteger(text)),
        ValType.I64 => new Value(type, ReadInteger(text)),
        _ when PatternOf(text) is ResultPattern pattern => new Value(type, 0, pattern),
        ValType.F32 => new Value(type, FloatLiteral.F32(text)),
        _ => new Value(type, FloatLiteral.F64(text)),
    };

    /// <summary>Whether a result is what is wanted.</summary>
    /// <param name="type">The result's type.</param>
    /// <param name="bits">Its bits; of a vector, the low half.</param>
    /// <param name="highBits">The high half of a vector.</param>
    public bool Accepts(ValType type, ulong bits, ulong highBits = 0)
    {
        if (Type != type.Stored && !(Type == ValType.Bottom && type.IsReference))
        {
            return false;
        }

        if (type == ValType.V128)
        {
            return Lanes.Length > 0 ? VectorLiteral.Accepts(this, new UInt128(highBits, bits)) : bits == Bits && highBits == HighBits;
        }

        ulong magnitude = type == ValType.F32 ? bits & 0x7FFF_FFFF : bits & 0x7FFF_FFFF_FFFF_FFFF;
        ulong quiet = type == ValType.F32 ? F32Quiet : F64Quiet;
        return Pattern switch
        {
            ResultPattern.CanonicalNan => magnitude == quiet,
            ResultPattern.ArithmeticNan => (magnitude & quiet) == quiet,
            ResultPattern.NotNull => bits != 0,
            _ => bits == Bits,
        };
    }

    public override string ToString() => Type == ValType.V128
        ? Lanes.Length > 0 ? $"({string.Join(' ', Lanes)})" : string.Create(CultureInfo.InvariantCulture, $"{Type} 0x{HighBits:x16}{Bits:x16}")
        : Pattern == ResultPattern.Exactly ? string.Create(CultureInfo.InvariantCulture, $"{Type} 0x{Bits:x}") : $"{Type} {Pattern}";

    private static ResultPattern? PatternOf(string text) => text switch
    {
        "nan:canonical" => ResultPattern.CanonicalNan,
        "nan:arithmetic" => ResultPattern.ArithmeticNan,
        _ => null,
    };

    private static ulong ReadInteger(string text)
    {
        string digits = text.Replace("_", "", StringComparison.Ordinal);
        bool isNegative = digits[0] == '-';
        digits = digits.TrimStart('+', '-');
        ulong value = digits.StartsWith("0x", StringComparison.Ordinal)
            ? ulong.Parse(digits.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture)
            : ulong.Parse(digits, CultureInfo.InvariantCulture);
        return isNegative ? 0 - value : value;
    }
}

/// <summary>Which values a result may have.</summary>
internal enum ResultPattern
{
    Exactly,
    CanonicalNan,
    ArithmeticNan,
    NotNull,
}
