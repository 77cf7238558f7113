using System.CommandLine;
using Everheap.Engine;
using Everheap.Vm;

namespace Everheap.Cli.Addressing;

/// <summary>Which heap of a file is meant: the one that <c>--heap</c> names; else the only one; else the one that <c>run</c> made.</summary>
internal static class HeapChoice
{
    /// <summary>The option that names a heap.</summary>
    /// <param name="description">What is done with it.</param>
    /// <returns>The option.</returns>
    public static Option<string?> Option(string description) => new("--heap")
    {
        HelpName = "NAME",
        Description = $"{description} (default: the only one, or '{Process.HeapName}').",
    };

    /// <summary>Chooses a heap.</summary>
    /// <param name="store">The store.</param>
    /// <param name="name">The name that was given; null for none.</param>
    /// <returns>The heap's name.</returns>
    /// <exception cref="CommandException">There is no such heap, or it is not clear which is meant.</exception>
    public static string Choose(HeapStore store, string? name)
    {
        string[] names = [.. store.Heaps.Select(heap => heap.Name).Order(StringComparer.Ordinal)];
        if (name is not null)
        {
            return names.Contains(name)
                ? name
                : throw new CommandException(ExitCode.File, $"{store.Path}: there is no heap '{name}'; there {Listed(names)}");
        }

        return names switch
        {
            [] => throw new CommandException(ExitCode.File, $"{store.Path} holds no program: it was not made by 'everheap run', or was killed before its first checkpoint"),
            [string only] => only,
            _ when names.Contains(Process.HeapName) => Process.HeapName,
            _ => throw new CommandException(ExitCode.Usage, $"{store.Path} holds several heaps; say with --heap which is meant: there {Listed(names)}"),
        };
    }

    private static string Listed(string[] names) => names.Length switch
    {
        0 => "is none",
        1 => $"is '{names[0]}'",
        _ => "are " + string.Join(", ", names.Select(name => $"'{name}'")),
    };
}
