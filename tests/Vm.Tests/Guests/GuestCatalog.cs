using System.Text;
using System.Text.Json;

namespace Everheap.Vm.Tests.Guests;

/// <summary>Finds the guest programs: the repository's samples, and those of <c>../shared/guests</c> beside the repository where they are.</summary>
internal static partial class GuestCatalog
{
    private const string SolutionFile = "Everheap.slnx";

    public static string RepositoryRoot { get; } = FindRepositoryRoot();

    public static string SharedGuests { get; } = Path.GetFullPath(Path.Combine(RepositoryRoot, "..", "shared", "guests"));

    public static bool HasSharedGuests => Directory.Exists(SharedGuests);

    /// <summary>Every case of <c>samples/cases.json</c>.</summary>
    public static IEnumerable<GuestCase> Samples()
    {
        string folder = Path.Combine(RepositoryRoot, "samples");
        JsonElement root = ReadJson(Path.Combine(folder, "cases.json"));
        foreach (JsonElement sample in root.GetProperty("samples").EnumerateArray())
        {
            foreach (JsonElement entry in sample.GetProperty("cases").EnumerateArray())
            {
                yield return GuestCase.Read(folder, sample.GetProperty("module").GetString()!, entry);
            }
        }
    }

    /// <summary>Every case of every <c>cmd.json</c> in one folder of the shared guests, <c>apps</c> or <c>large</c>.</summary>
    public static IEnumerable<GuestCase> Commands(string folderName)
    {
        foreach (string folder in Directory.EnumerateDirectories(Path.Combine(SharedGuests, folderName)).Order(StringComparer.Ordinal))
        {
            string commands = Path.Combine(folder, "cmd.json");
            if (File.Exists(commands))
            {
                JsonElement root = ReadJson(commands);
                foreach (JsonElement entry in root.GetProperty("cases").EnumerateArray())
                {
                    yield return GuestCase.Read(folder, root.GetProperty("module").GetString()!, entry);
                }
            }
        }
    }

    /// <summary>The kernels of <c>bench</c>; their <c>secs=</c> line varies.</summary>
    /// <param name="size"><c>smoke</c>, some hundredths of a second each, or <c>default</c>, about a second.</param>
    public static IEnumerable<GuestCase> Kernels(string size = "smoke")
    {
        string folder = Path.Combine(SharedGuests, "bench");
        foreach (JsonProperty kernel in ReadJson(Path.Combine(folder, "expected.json")).EnumerateObject())
        {
            JsonElement run = kernel.Value.GetProperty(size);
            byte[] line = Encoding.UTF8.GetBytes(run.GetProperty("line").GetString() + "\n");
            yield return new GuestCase
            {
                Name = kernel.Name,
                ModulePath = Path.Combine(folder, kernel.Value.GetProperty("module").GetString()!),
                Arguments = GuestCase.ReadStrings(run, "args"),
                ExpectedOutput = () => line,
                VaryingLinePrefix = "secs=",
            };
        }
    }

    private static JsonElement ReadJson(string path)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
        return document.RootElement.Clone();
    }

    private static string FindRepositoryRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, SolutionFile)))
            {
                return folder.FullName;
            }
        }

        throw new DirectoryNotFoundException($"no {SolutionFile} above {AppContext.BaseDirectory}");
    }
}
