using System.Globalization;

namespace Everheap.Measuring;

/// <summary>Figures as text, the same everywhere.</summary>
internal static class Units
{
    public const int KiB = 1 << 10;
    public const int MiB = 1 << 20;
    public const long GiB = 1L << 30;

    /// <summary>A time in the unit that suits it, three digits or so.</summary>
    public static string Time(double nanoseconds) => Math.Abs(nanoseconds) switch
    {
        < 1e3 => $"{Digits(nanoseconds)} ns",
        < 1e6 => $"{Digits(nanoseconds / 1e3)} us",
        < 1e9 => $"{Digits(nanoseconds / 1e6)} ms",
        _ => $"{Digits(nanoseconds / 1e9)} s",
    };

    /// <summary>A size in bytes, in whole binary units where it comes out even.</summary>
    public static string Bytes(double bytes) => bytes switch
    {
        < KiB => $"{Digits(bytes)} B",
        < MiB => $"{Digits(bytes / KiB)} KiB",
        < GiB => $"{Digits(bytes / MiB)} MiB",
        _ => $"{Digits(bytes / GiB)} GiB",
    };

    /// <summary>How many, with k and M.</summary>
    public static string Count(double count) => Math.Abs(count) switch
    {
        < 1e3 => Digits(count),
        < 1e6 => $"{Digits(count / 1e3)} k",
        _ => $"{Digits(count / 1e6)} M",
    };

    public static string Ratio(double ratio) => ratio.ToString(Math.Abs(ratio) < 10 ? "0.00" : "0.0", CultureInfo.InvariantCulture);

    public static string Percent(double share) => (share * 100).ToString("0.0", CultureInfo.InvariantCulture) + " %";

    private static string Digits(double value) =>
        value.ToString(Math.Abs(value) switch { < 10 => "0.##", < 100 => "0.#", _ => "0" }, CultureInfo.InvariantCulture);
}
