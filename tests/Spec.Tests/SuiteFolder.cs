namespace Everheap.Spec.Tests;

/// <summary>Finds the official test scripts.</summary>
internal static class SuiteFolder
{
    private const string EnvironmentVariable = "EVERHEAP_SPEC";

    /// <summary>The folder, or null where it is missing.</summary>
    public static string? Path { get; } = Find();

    /// <summary>What to do where it is missing.</summary>
    public static string WhyMissing =>
        $"The official WebAssembly test scripts were not found. Put a copy of github.com/WebAssembly/testsuite at ../shared/spec beside the repository, or name its folder in {EnvironmentVariable}.";

    /// <summary>The scripts' names without their extension, in order; those of the threads proposal and of the older exceptions with their folders.</summary>
    public static IEnumerable<string> ScriptNames => Path is null
        ? []
        : Directory.EnumerateFiles(Path, "*.wast", SearchOption.AllDirectories)
            .Select(file => System.IO.Path.ChangeExtension(System.IO.Path.GetRelativePath(Path, file), null).Replace('\\', '/'))
            .Order(StringComparer.Ordinal);

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable(EnvironmentVariable) is { Length: > 0 } named)
        {
            return Directory.Exists(named) ? named : null;
        }

        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "Everheap.slnx")))
            {
                string suite = System.IO.Path.GetFullPath(System.IO.Path.Combine(folder.FullName, "..", "shared", "spec"));
                return Directory.Exists(suite) ? suite : null;
            }
        }

        return null;
    }
}
