using System.Globalization;
using System.Runtime.InteropServices;

namespace Everheap.Measuring.Reports;

/// <summary>What the figures were taken on, and how busy it was.</summary>
internal sealed class MachineReport
{
    public const string Name = "machine";

    private readonly List<double> _loads = [];

    /// <summary>Notes how busy the machine is now.</summary>
    public void NoteLoad()
    {
        if (OperatingSystem.IsLinux())
        {
            _loads.Add(double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture));
        }
    }

    public ReportSection Describe()
    {
        ReportSection section = new(Name);
        using WorkFolder folder = new();
        string fileSystem = new DriveInfo(folder.Path).DriveFormat;
        section.Add(
            $"The machine: {Environment.ProcessorCount} processors ({ProcessorName()}), {Units.Bytes(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes)} of memory, {fileSystem}, {RuntimeInformation.OSDescription}, "
            + $"{RuntimeInformation.FrameworkDescription}. {LoadText()}");
        return section;
    }

    private string LoadText() => _loads.Count == 0
        ? ""
        : string.Create(
            CultureInfo.InvariantCulture,
            $"Load averages of a minute, taken before each section: {_loads.Min():0.0} to {_loads.Max():0.0}, median {_loads.Order().ElementAt(_loads.Count / 2):0.0}; the report itself makes up 1 to 2 of that, and what is more, others.");

    private static string ProcessorName()
    {
        const string Field = "model name";
        string? line = File.Exists("/proc/cpuinfo") ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith(Field, StringComparison.Ordinal)) : null;
        return line is null ? RuntimeInformation.ProcessArchitecture.ToString() : line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
    }
}
