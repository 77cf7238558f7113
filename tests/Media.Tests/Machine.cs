using System.Runtime.InteropServices;

namespace Everheap.Media.Tests;

/// <summary>What the machine at hand allows. Tests that need more are skipped, and say what was missing.</summary>
internal static partial class Machine
{
    public static bool IsRoot => OperatingSystem.IsLinux() && EffectiveUser() == 0;

    public static void RequireLinux()
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Ignore("skipped: only done on Linux");
        }
    }

    public static void RequireRoot()
    {
        if (!IsRoot)
        {
            Assert.Ignore("skipped: needs Linux and root, to mount a file system");
        }
    }

    public static void RequireTools(params string[] names)
    {
        if (names.Where(name => Tool.Find(name) is null).ToList() is { Count: > 0 } missing)
        {
            Assert.Ignore($"skipped: not installed: {string.Join(", ", missing)}");
        }
    }

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint EffectiveUser();
}
