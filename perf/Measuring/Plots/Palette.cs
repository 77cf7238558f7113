namespace Everheap.Measuring.Plots;

/// <summary>Colours that can be told apart by everyone (Okabe and Ito, 2008), in the order that series take them; and the greys of a frame.</summary>
internal static class Palette
{
    public const string Grid = "#e4e4e4";
    public const string Frame = "#888";
    public const string Target = "#c00";

    private static readonly string[] Colors = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555", "#b8a800"];

    public static string Color(int series) => Colors[series % Colors.Length];
}
