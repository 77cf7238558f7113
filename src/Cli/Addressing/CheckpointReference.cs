using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Everheap.Engine;

namespace Everheap.Cli.Addressing;

/// <summary>A checkpoint as people name it: its number, with or without an <c>@</c> before it, or the name that it was retained under.</summary>
/// <param name="Number">Its number; null if it is named.</param>
/// <param name="Name">Its name; null if it is numbered.</param>
internal sealed record CheckpointReference(long? Number, string? Name)
{
    /// <summary>What an error says is accepted.</summary>
    public const string Accepted = "a checkpoint's number (7 or @7) or its name";

    /// <summary>Takes a reference apart.</summary>
    /// <param name="text">What the user gave.</param>
    /// <returns>The reference.</returns>
    public static CheckpointReference Parse(string text)
    {
        string rest = text.StartsWith('@') ? text[1..] : text;
        return IsNumber(rest) && long.TryParse(rest, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            ? new CheckpointReference(number, null)
            : new CheckpointReference(null, rest);
    }

    /// <summary>Whether a text would be taken for a number, so that it cannot be a checkpoint's name.</summary>
    /// <param name="text">The text.</param>
    /// <returns>Whether it has digits alone.</returns>
    public static bool IsNumber(string text) => text.Length > 0 && text.All(char.IsAsciiDigit);

    /// <summary>The argument that names a checkpoint.</summary>
    /// <param name="name">The argument's name in the help.</param>
    /// <param name="description">What becomes of the checkpoint.</param>
    /// <param name="isOptional">Whether it can be left out.</param>
    /// <returns>The argument.</returns>
    public static Argument<CheckpointReference?> Argument(string name, string description, bool isOptional = false) => new(name)
    {
        Description = description,
        Arity = isOptional ? ArgumentArity.ZeroOrOne : ArgumentArity.ExactlyOne,
        CustomParser = result => ParseToken(result, name),
    };

    /// <summary>The option that names a checkpoint.</summary>
    /// <param name="name">The option's name.</param>
    /// <param name="description">What becomes of the checkpoint.</param>
    /// <returns>The option.</returns>
    public static Option<CheckpointReference?> Option(string name, string description) => new(name)
    {
        HelpName = "N",
        Description = description,
        CustomParser = result => ParseToken(result, name),
    };

    /// <summary>The checkpoint's number.</summary>
    /// <param name="store">The store.</param>
    /// <param name="heapName">The heap.</param>
    /// <returns>The number. Whether there is such a checkpoint, and whether it is retained, is the store's to say.</returns>
    /// <exception cref="CommandException">No checkpoint of the heap has that name.</exception>
    public long Resolve(HeapStore store, string heapName) =>
        Number ?? TryFind(store, heapName)?.Number ?? throw new CommandException(
            ExitCode.File, $"{store.Path}: no checkpoint of heap '{heapName}' is named '{Name}'; see: everheap log {store.Path}");

    /// <summary>The checkpoint of that name.</summary>
    /// <param name="store">The store.</param>
    /// <param name="heapName">The heap.</param>
    /// <returns>The checkpoint; null if none has that name, or if it is numbered.</returns>
    public CheckpointInfo? TryFind(HeapStore store, string heapName) =>
        Name is null ? null : store.History(heapName).FirstOrDefault(checkpoint => checkpoint.Name == Name);

    private static CheckpointReference? ParseToken(ArgumentResult result, string what)
    {
        if (result.Tokens.Count == 0)
        {
            return null;
        }

        string text = result.Tokens[0].Value;
        if (text.Trim('@').Length > 0)
        {
            return Parse(text);
        }

        result.AddError($"{what} '{text}': expected {Accepted}");
        return null;
    }
}
