using System.Text.Json;

namespace Everheap.Vm.Benchmarks.Programs;

/// <summary>
/// The programs to measure: the kernels of <c>../shared/guests/bench</c> beside the repository, or, where those are missing,
/// the repository's own samples.
/// </summary>
/// <param name="Source">Where the programs come from, for the report.</param>
/// <param name="Programs">The programs, in the order in which they run.</param>
internal sealed record ProgramSet(string Source, IReadOnlyList<GuestProgram> Programs)
{
    private const string SolutionFile = "Everheap.slnx";

    /// <summary>Reads the programs with the arguments of one size.</summary>
    /// <exception cref="DirectoryNotFoundException">The repository was not found above the executable.</exception>
    public static ProgramSet Load(ProgramSize size)
    {
        string kernels = Path.Combine(RepositoryRoot, "..", "shared", "guests", "bench");
        return Directory.Exists(kernels) ? LoadKernels(Path.GetFullPath(kernels), size) : LoadSamples(Path.Combine(RepositoryRoot, "samples"), size);
    }

    /// <summary>The folder that holds the solution file, found by walking up from the executable.</summary>
    public static string RepositoryRoot { get; } = FindRepositoryRoot();

    // expected.json: name -> { module, default: { args, line }, smoke: { args, line } }
    private static ProgramSet LoadKernels(string folder, ProgramSize size)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "expected.json")));
        var programs = new List<GuestProgram>();
        foreach (JsonProperty program in document.RootElement.EnumerateObject())
        {
            // Everheap refuses vector instructions by name: there is nothing to compare.
            if (program.Name.EndsWith("_simd", StringComparison.Ordinal))
            {
                continue;
            }

            JsonElement run = program.Value.GetProperty(size == ProgramSize.Smoke ? "smoke" : "default");
            programs.Add(new GuestProgram(
                program.Name,
                Path.Combine(folder, program.Value.GetProperty("module").GetString()!),
                ReadStrings(run.GetProperty("args")),
                run.GetProperty("line").GetString() + "\n"));
        }

        return new ProgramSet("shared/guests/bench", programs);
    }

    // cases.json: { samples: [ { module, cases: [ { name, args, dirs, stdin, stdout, ... } ] } ] }
    private static ProgramSet LoadSamples(string folder, ProgramSize size)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "cases.json")));
        var programs = new List<GuestProgram>();
        foreach (JsonElement sample in document.RootElement.GetProperty("samples").EnumerateArray())
        {
            string module = sample.GetProperty("module").GetString()!;
            foreach (JsonElement run in sample.GetProperty("cases").EnumerateArray())
            {
                // Only what needs neither folders nor input: here the processor is measured.
                bool small = run.GetProperty("name").GetString() == "small";
                if (small == (size == ProgramSize.Smoke) && run.GetProperty("dirs").GetArrayLength() == 0
                    && run.GetProperty("stdin").ValueKind == JsonValueKind.Null)
                {
                    programs.Add(new GuestProgram(
                        $"{Path.GetFileNameWithoutExtension(module)} {run.GetProperty("name").GetString()}",
                        Path.Combine(folder, module),
                        ReadStrings(run.GetProperty("args")),
                        File.ReadAllText(Path.Combine(folder, run.GetProperty("stdout").GetString()!))));
                }
            }
        }

        return new ProgramSet("samples", programs);
    }

    private static List<string> ReadStrings(JsonElement array) => [.. array.EnumerateArray().Select(item => item.GetString()!)];

    private static string FindRepositoryRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, SolutionFile)))
            {
                return folder.FullName;
            }
        }

        throw new DirectoryNotFoundException($"no {SolutionFile} above {AppContext.BaseDirectory}: run the benchmarks from a clone of the repository");
    }
}
