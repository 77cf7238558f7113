using Everheap.Vm.Modules;
using Everheap.Vm.Tests.Guests;

namespace Everheap.Vm.Benchmarks.Programs;

/// <summary>Programs to measure.</summary>
/// <param name="Source">Where they come from, for the report.</param>
/// <param name="Programs">The programs, in the order in which they run.</param>
/// <param name="LeftOut">Those that Everheap does not run, with the reason.</param>
internal sealed record ProgramSet(string Source, IReadOnlyList<GuestCase> Programs, IReadOnlyList<string> LeftOut)
{
    /// <summary>Where files of a run are made: a heap file is to lie on the disk that the repository lies on.</summary>
    public static string WorkFolder { get; } = Path.Combine(GuestCatalog.RepositoryRoot, "artifacts", "bench");

    /// <summary>The kernels of <c>../shared/guests/bench</c> beside the repository, or, where those are missing, samples that need neither folders nor input.</summary>
    /// <param name="isSmoke">In a small size, to see that everything works.</param>
    public static ProgramSet Kernels(bool isSmoke) => GuestCatalog.HasSharedGuests
        ? Of("shared/guests/bench", GuestCatalog.Kernels(isSmoke ? "smoke" : "default"))
        : Of("samples", GuestCatalog.Samples().Where(sample =>
            sample.Name.EndsWith(isSmoke ? " small" : " medium", StringComparison.Ordinal) && sample.Directories.Count == 0 && sample.StandardInputPath is null));

    /// <summary>The applications of <c>../shared/guests/apps</c> in their longest case; the sample that uses folders where those are missing.</summary>
    /// <param name="isSmoke">Those that have a short case, in that.</param>
    public static ProgramSet Applications(bool isSmoke) => GuestCatalog.HasSharedGuests
        ? Of("shared/guests/apps", GuestCatalog.Commands("apps").GroupBy(application => application.ModulePath).SelectMany(cases => isSmoke ? cases.Skip(1) : cases.Take(1)))
        : Of("samples", GuestCatalog.Samples().Where(sample => sample.Directories.Count > 0 && sample.Name.EndsWith(isSmoke ? " small" : " medium", StringComparison.Ordinal)));

    /// <summary>Only some of the programs: those whose name, or its first word, is among the given ones.</summary>
    public ProgramSet Only(IReadOnlyCollection<string> names) => names.Count == 0
        ? this
        : this with { Programs = [.. Programs.Where(program => names.Contains(program.Name) || names.Contains(program.Name.Split(' ')[0]))] };

    private static ProgramSet Of(string source, IEnumerable<GuestCase> programs)
    {
        var taken = new List<GuestCase>();
        var leftOut = new List<string>();
        foreach (GuestCase program in programs)
        {
            try
            {
                Module.Load(program.ModulePath);
                taken.Add(program);
            }
            catch (WasmFormatException exception) when (exception.UnsupportedFeature is not null)
            {
                leftOut.Add($"{program.Name} ({exception.UnsupportedFeature})");
            }
        }

        return new ProgramSet(source, taken, leftOut);
    }
}
