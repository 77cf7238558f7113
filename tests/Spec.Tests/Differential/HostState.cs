using System.Globalization;

namespace Everheap.Spec.Tests.Differential;

/// <summary>
/// What the host's functions do, the same for both machines. They note every call with its arguments, so that the order of a program's effects is compared, too. NaNs are all one to them:
/// their bits are the machine's choice.
/// </summary>
internal sealed class HostState
{
    private const int EventsMax = 400;

    private readonly List<string> _events = [];
    private ulong _hash = 14695981039346656037;
    private long _count;

    /// <summary>What was noted: the first events in words, and the number and hash of all.</summary>
    public IReadOnlyList<string> Events => [.. _events, string.Create(CultureInfo.InvariantCulture, $"{_count} events, hash {_hash:x16}")];

    /// <summary>How many calls there were.</summary>
    public long Count => _count;

    public void LogI32(uint value) => Note("i32", value);

    public void LogI64(ulong value) => Note("i64", value);

    public void LogF32(uint bits) => Note("f32", BitConverter.DoubleToUInt64Bits(Canonical(bits)));

    public void LogF64(ulong bits) => Note("f64", BitConverter.DoubleToUInt64Bits(Canonical(bits)));

    /// <summary>Notes a reference to a host object.</summary>
    /// <param name="number">Its number, or null.</param>
    public void LogExtern(int? number) => Note("extern", number is int value ? (uint)value : ulong.MaxValue);

    public ulong Mix(uint a, ulong b, uint c, ulong d)
    {
        ulong mixed = (a * 0x9E3779B97F4A7C15) ^ b ^ (BitConverter.DoubleToUInt64Bits(Canonical(c)) << 1) ^ (BitConverter.DoubleToUInt64Bits(Canonical(d)) >> 1);
        Note("mix", mixed);
        return mixed;
    }

    public (uint Word, ulong Real, ulong Wide) Split(ulong value)
    {
        Note("split", value);
        return ((uint)(value >> 13), BitConverter.DoubleToUInt64Bits((long)value / 3.0), value * 31);
    }

    /// <summary>Notes that the program asks for a store to its memory.</summary>
    /// <param name="address">Where.</param>
    /// <param name="value">What.</param>
    /// <param name="length">The memory's length.</param>
    /// <returns>Whether it lies inside, and is to be made.</returns>
    public bool Poke(uint address, ulong value, ulong length)
    {
        Note("poke", address ^ value);
        return length >= sizeof(ulong) && address <= length - sizeof(ulong);
    }

    public int MakeExtern(uint number)
    {
        Note("make_extern", number);
        return (int)number;
    }

    /// <summary>Whether the host fails.</summary>
    public bool Fail(uint number)
    {
        Note("fail", number);
        return number % HostInterface.FailEvery == HostInterface.FailEvery - 1;
    }

    /// <summary>Forgets all that was noted.</summary>
    public void Clear()
    {
        _events.Clear();
        _hash = 14695981039346656037;
        _count = 0;
    }

    private static double Canonical(uint bits) => Canonical(BitConverter.DoubleToUInt64Bits(BitConverter.UInt32BitsToSingle(bits)));

    private static double Canonical(ulong bits)
    {
        double value = BitConverter.UInt64BitsToDouble(bits);
        return double.IsNaN(value) ? double.NaN : value;
    }

    private void Note(string what, ulong value)
    {
        _count++;
        foreach (char letter in what)
        {
            _hash = (_hash ^ letter) * 1099511628211;
        }

        _hash = (_hash ^ value) * 1099511628211;
        if (_events.Count < EventsMax)
        {
            _events.Add(string.Create(CultureInfo.InvariantCulture, $"{what} 0x{value:x}"));
        }
    }
}
