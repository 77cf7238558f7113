using Everheap.Measuring.Reports;
using Everheap.Vm.Benchmarks.Machines;
using Everheap.Vm.Benchmarks.Programs;

namespace Everheap.Vm.Benchmarks.Reports;

/// <summary>All sections, in the order of docs/benchmarks.md.</summary>
internal static class Report
{
    private static readonly (string Name, Func<Options, IReadOnlyList<Machine>, ReportSection> Run)[] Sections =
    [
        ("programs", (options, machines) => ProgramReport.Run("programs", ProgramSet.Kernels(options.IsSmoke), options, machines)),
        ("applications", (options, machines) => ProgramReport.Run("applications", ProgramSet.Applications(options.IsSmoke), options, machines)),
        (StartupReport.Name, StartupReport.Run),
        (InstanceReport.Name, InstanceReport.Run),
    ];

    public static IEnumerable<string> Names => Sections.Select(section => section.Name);

    /// <summary>Runs sections and prints them.</summary>
    /// <exception cref="InvalidOperationException">A program failed, or gave something else than expected.</exception>
    public static void Run(Options options, AllMachines machines, TextWriter output)
    {
        Directory.CreateDirectory(ProgramSet.WorkFolder);
        Progress.IsSilent = options.IsSmoke;
        IReadOnlyList<Machine> chosen = [.. machines.Present.Where(machine => options.Machines.Count == 0 || options.Machines.Contains(machine.Name))];
        foreach (Machine machine in machines.All)
        {
            output.WriteLine($"{machine.Title}: {machine.WhyMissing ?? machine.Description}");
        }

        foreach ((string name, Func<Options, IReadOnlyList<Machine>, ReportSection> run) in Sections.Where(section => options.Sections.Count == 0 || options.Sections.Contains(section.Name)))
        {
            ReportSection section = run(options, chosen);
            output.WriteLine($"\n# {name}\n");
            output.WriteLine(section.Markdown);
            output.Flush();
            options.Documents?.Enter(section);
        }
    }
}
