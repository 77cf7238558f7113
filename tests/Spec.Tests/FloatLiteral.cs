using System.Globalization;
using System.Numerics;

namespace Everheap.Spec.Tests;

/// <summary>Reads the text format's floating-point literals (core specification, section 6.3.3) to bits, rounded to nearest, ties to even.</summary>
internal static class FloatLiteral
{
    private const int F32MantissaBits = 23;
    private const int F32ExponentBits = 8;
    private const int F64MantissaBits = 52;
    private const int F64ExponentBits = 11;

    public static ulong F32(string text) => Read(
        text, F32MantissaBits, F32ExponentBits, static decimalText => BitConverter.SingleToUInt32Bits(float.Parse(decimalText, CultureInfo.InvariantCulture)));

    public static ulong F64(string text) => Read(
        text, F64MantissaBits, F64ExponentBits, static decimalText => BitConverter.DoubleToUInt64Bits(double.Parse(decimalText, CultureInfo.InvariantCulture)));

    private static ulong Read(string text, int mantissaBits, int exponentBits, Func<string, ulong> readDecimal)
    {
        string digits = text.Replace("_", "", StringComparison.Ordinal);
        ulong sign = digits[0] == '-' ? 1UL << (mantissaBits + exponentBits) : 0;
        digits = digits.TrimStart('+', '-');
        ulong infinity = ((1UL << exponentBits) - 1) << mantissaBits;
        if (digits == "inf")
        {
            return sign | infinity;
        }

        if (digits == "nan")
        {
            return sign | infinity | (1UL << (mantissaBits - 1));
        }

        if (digits.StartsWith("nan:0x", StringComparison.Ordinal))
        {
            return sign | infinity | ulong.Parse(digits.AsSpan(6), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        }

        return sign | (digits.StartsWith("0x", StringComparison.Ordinal) ? ReadHex(digits[2..], mantissaBits, exponentBits) : readDecimal(digits));
    }

    private static ulong ReadHex(string text, int mantissaBits, int exponentBits)
    {
        int exponentAt = text.IndexOfAny(['p', 'P']);
        int exponent = exponentAt < 0 ? 0 : int.Parse(text.AsSpan(exponentAt + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        string digits = exponentAt < 0 ? text : text[..exponentAt];
        int point = digits.IndexOf('.', StringComparison.Ordinal);
        if (point >= 0)
        {
            exponent -= 4 * (digits.Length - point - 1);
            digits = digits.Remove(point, 1);
        }

        // The leading zero keeps the number positive.
        BigInteger mantissa = BigInteger.Parse("0" + digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        return mantissa.IsZero ? 0 : Round(mantissa, exponent, mantissaBits, exponentBits);
    }

    private static ulong Round(BigInteger mantissa, int exponent, int mantissaBits, int exponentBits)
    {
        int bias = (1 << (exponentBits - 1)) - 1;
        int lowest = 1 - bias - mantissaBits; // The exponent of the last bit of a subnormal number.
        int length = (int)mantissa.GetBitLength();
        int last = Math.Max(exponent + length - 1 - mantissaBits, lowest);
        int dropped = last - exponent;
        BigInteger kept = dropped <= 0 ? mantissa << -dropped : mantissa >> dropped;
        if (dropped > 0)
        {
            BigInteger rest = mantissa - (kept << dropped);
            int order = rest.CompareTo(BigInteger.One << (dropped - 1));
            if (order > 0 || (order == 0 && !kept.IsEven))
            {
                kept += 1;
            }
        }

        // Adding the mantissa to the exponent's field carries into it where rounding overflowed, up to infinity.
        BigInteger hidden = BigInteger.One << mantissaBits;
        BigInteger bits = kept < hidden ? kept : kept - hidden + ((BigInteger)(last - lowest + 1) << mantissaBits);
        BigInteger infinity = (BigInteger)((1 << exponentBits) - 1) << mantissaBits;
        return (ulong)BigInteger.Min(bits, infinity);
    }
}
