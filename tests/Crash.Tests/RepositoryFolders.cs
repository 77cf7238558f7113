using System.Runtime.CompilerServices;

namespace Everheap.Crash.Tests;

/// <summary>Where the samples, and the guest programs next to the repository, are.</summary>
internal static class RepositoryFolders
{
    /// <summary>The repository's root.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The samples.</summary>
    public static string Samples { get; } = Path.Combine(Root, "samples");

    /// <summary>The guest programs, which are not part of the repository.</summary>
    public static string Guests { get; } = Path.GetFullPath(Path.Combine(Root, "..", "shared", "guests"));

    /// <summary>What a skipped test says.</summary>
    public static string GuestsMissing => $"skipped: the guest programs are not at {Guests}";

    private static string FindRoot([CallerFilePath] string sourcePath = "")
    {
        foreach (string start in (string[])[AppContext.BaseDirectory, Path.GetDirectoryName(sourcePath)!])
        {
            for (DirectoryInfo? folder = new(start); folder is not null; folder = folder.Parent)
            {
                if (File.Exists(Path.Combine(folder.FullName, "Everheap.slnx")))
                {
                    return folder.FullName;
                }
            }
        }

        throw new DirectoryNotFoundException($"no Everheap.slnx above {AppContext.BaseDirectory}");
    }
}
