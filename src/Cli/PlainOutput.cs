using System.Text;

namespace Everheap.Cli;

/// <summary>
/// Standard output and error as plain UTF-8 text: no colours, no control sequences, and lines that end in a line feed everywhere.
/// </summary>
internal static class PlainOutput
{
    private const int BufferBytes = 64 * 1024;

    // The runtime's console switches a terminal to its keypad mode before it writes. The terminal is the guest's:
    // a console that knows no terminal type leaves it alone.
    static PlainOutput() => Environment.SetEnvironmentVariable("TERM", null);

    /// <summary>Opens standard output, buffered; dispose it to write what is buffered.</summary>
    /// <returns>The writer.</returns>
    public static TextWriter Open() => Open(Console.OpenStandardOutput());

    /// <summary>Opens standard error, buffered; dispose it to write what is buffered.</summary>
    /// <returns>The writer.</returns>
    public static TextWriter OpenError() => Open(Console.OpenStandardError());

    private static StreamWriter Open(Stream stream) =>
        new(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), BufferBytes) { NewLine = "\n" };
}
