namespace Everheap.Cli;

/// <summary>Words as a shell reads them.</summary>
internal static class ShellWord
{
    /// <summary>A word that can be copied into a command line.</summary>
    /// <param name="text">The word.</param>
    /// <returns>The text itself, or in quotes if a shell would take it apart.</returns>
    public static string Quote(string text) =>
        text.Length > 0 && !text.Any(c => char.IsWhiteSpace(c) || c is '\'' or '"') ? text : $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
