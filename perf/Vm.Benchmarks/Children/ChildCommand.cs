using System.Globalization;

namespace Everheap.Vm.Benchmarks.Children;

/// <summary>What a process is told that runs one program. The same for every peer; <c>Peers/run-wasi.mjs</c> reads it, too.</summary>
/// <param name="ModulePath">The module.</param>
/// <param name="Folder">Where the process may make files.</param>
internal sealed record ChildCommand(string ModulePath, string Folder)
{
    /// <summary>The arguments after the program's own name.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Host directories that the program may use.</summary>
    public IReadOnlyList<DirectoryMapping> Directories { get; init; } = [];

    /// <summary>Whether output is shown at once, and not when the checkpoint that covers it is durable.</summary>
    public bool ShowsOutputAtOnce { get; init; }

    /// <summary>Where compiled code is kept from one process to the next; null for nowhere.</summary>
    public string? CachePath { get; init; }

    /// <summary>Where greater than zero: so many instances are made and left idle, instead of one that runs to its end.</summary>
    public int Instances { get; init; }

    /// <summary>What they are made as; for Everheap alone.</summary>
    public InstanceKind InstanceKind { get; init; }

    /// <summary>Reads what <see cref="ToArguments"/> gives.</summary>
    /// <exception cref="ArgumentException">It is something else.</exception>
    public static ChildCommand Parse(ReadOnlySpan<string> arguments)
    {
        var command = new ChildCommand("", "");
        var directories = new List<DirectoryMapping>();
        while (true)
        {
            switch (arguments)
            {
                case ["--folder", var folder, ..]:
                    command = command with { Folder = folder };
                    arguments = arguments[2..];
                    break;
                case ["--dir", var host, var guest, ..]:
                    directories.Add(new DirectoryMapping(host, guest));
                    arguments = arguments[3..];
                    break;
                case ["--at-once", ..]:
                    command = command with { ShowsOutputAtOnce = true };
                    arguments = arguments[1..];
                    break;
                case ["--cache", var folder, ..]:
                    command = command with { CachePath = folder };
                    arguments = arguments[2..];
                    break;
                case ["--instances", var count, ..]:
                    command = command with { Instances = int.Parse(count, CultureInfo.InvariantCulture) };
                    arguments = arguments[2..];
                    break;
                case ["--kind", var kind, ..]:
                    command = command with { InstanceKind = Enum.Parse<InstanceKind>(kind) };
                    arguments = arguments[2..];
                    break;
                case ["--", var module, .. var rest]:
                    return command with { ModulePath = module, Arguments = rest.ToArray(), Directories = directories };
                default:
                    throw new ArgumentException($"not understood: {string.Join(' ', arguments!)}");
            }
        }
    }

    /// <summary>The command as arguments of a process.</summary>
    public IEnumerable<string> ToArguments() =>
    [
        "--folder", Folder,
        .. Directories.SelectMany(directory => new[] { "--dir", directory.HostPath, directory.GuestPath }),
        .. ShowsOutputAtOnce ? ["--at-once"] : Array.Empty<string>(),
        .. CachePath is { } path ? ["--cache", path] : Array.Empty<string>(),
        .. Instances > 0 ? ["--instances", Instances.ToString(CultureInfo.InvariantCulture)] : Array.Empty<string>(),
        .. InstanceKind != default ? ["--kind", InstanceKind.ToString()] : Array.Empty<string>(),
        "--", ModulePath, .. Arguments,
    ];
}
