using System.CommandLine;

namespace Everheap.Cli.Addressing;

/// <summary>A heap file, and perhaps a checkpoint in it: <c>FILE</c> or <c>FILE@N</c>.</summary>
/// <param name="Path">The file.</param>
/// <param name="Checkpoint">What stands after the last <c>@</c>; null if nothing does.</param>
internal sealed record StoreAddress(string Path, CheckpointReference? Checkpoint)
{
    /// <summary>The argument that names a heap file.</summary>
    /// <returns>The argument.</returns>
    public static Argument<string> FileArgument() => new("FILE") { Description = "The heap file." };

    /// <summary>Takes an address apart. A file whose own name has an <c>@</c> is found by its whole name.</summary>
    /// <param name="text">What the user gave.</param>
    /// <returns>The address.</returns>
    public static StoreAddress Parse(string text)
    {
        int at = text.LastIndexOf('@');
        return at <= 0 || at == text.Length - 1 || File.Exists(text)
            ? new StoreAddress(text, null)
            : new StoreAddress(text[..at], CheckpointReference.Parse(text[(at + 1)..]));
    }
}
