using System.Reflection;
using System.Runtime.InteropServices;
using LightningDB;

namespace Everheap.Engine.Benchmarks.Peers;

/// <summary>
/// Finds LMDB's native library. The one in the package is linked against a newer C library than some systems have; there, the system's own is taken if it is installed.
/// </summary>
internal static class LmdbLibrary
{
    private const string ImportName = "lmdb";

    private static readonly string[] SystemNames = ["liblmdb.so.0", "liblmdb.so", "liblmdb.dylib"];

    private static readonly Lazy<string?> Problem = new(Find);

    private static nint _handle;

    /// <summary>Why there is none; null if there is one.</summary>
    public static string? WhyNotAvailable => Problem.Value;

    private static string? Find()
    {
        Assembly wrapper = typeof(LightningEnvironment).Assembly;
        string problem;
        try
        {
            NativeLibrary.Free(NativeLibrary.Load(ImportName, wrapper, null));
            return null;
        }
        catch (DllNotFoundException notFound)
        {
            problem = notFound.Message.Split('\n').FirstOrDefault(line => line.Contains("GLIBC", StringComparison.Ordinal))?.Trim() ?? "the package has none for this system";
        }

        foreach (string name in SystemNames)
        {
            if (NativeLibrary.TryLoad(name, out _handle))
            {
                NativeLibrary.SetDllImportResolver(wrapper, (asked, _, _) => asked == ImportName ? _handle : 0);
                return null;
            }
        }

        return $"no native LMDB: {problem}; and the system's own (Debian: liblmdb0) is not installed";
    }
}
