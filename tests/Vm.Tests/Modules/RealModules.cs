namespace Everheap.Vm.Tests.Modules;

/// <summary>Finds modules that real compilers made: the samples, and the guest programs beside the repository where they are there.</summary>
internal static class RealModules
{
    /// <summary>Their paths, in order. Those that need vectors are among them.</summary>
    public static IReadOnlyList<string> Paths { get; } = Find();

    private static string[] Find()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Everheap.slnx")))
            {
                string[] roots = [Path.Combine(folder.FullName, "samples"), Path.Combine(folder.FullName, "..", "shared", "guests")];
                return [.. roots.Where(Directory.Exists)
                    .SelectMany(root => Directory.EnumerateFiles(root, "*.wasm", SearchOption.AllDirectories))
                    .Order(StringComparer.Ordinal)];
            }
        }

        return [];
    }
}
