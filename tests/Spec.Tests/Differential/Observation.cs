using System.IO.Hashing;

namespace Everheap.Spec.Tests.Differential;

/// <summary>What was seen of a run of a module: a list of steps, each in words.</summary>
internal sealed class Observation
{
    private readonly List<string> _steps = [];

    /// <summary>How many calls of functions returned.</summary>
    public int Returned { get; private set; }

    /// <summary>How many trapped.</summary>
    public int Trapped { get; private set; }

    /// <summary>How many calls of the host's functions there were.</summary>
    public long HostCalls { get; private set; }

    /// <summary>Notes that instantiating ended in a trap.</summary>
    public void NoteRefusal(string trap) => _steps.Add($"instantiation: {trap}");

    /// <summary>Notes how a call ended, and what it showed to the host.</summary>
    /// <param name="function">The function's name.</param>
    /// <param name="trap">The trap, or null where it returned.</param>
    /// <param name="host">The host's notes, which are taken out.</param>
    public void NoteCall(string function, string? trap, HostState host)
    {
        Returned += trap is null ? 1 : 0;
        Trapped += trap is null ? 0 : 1;
        HostCalls += host.Count;
        _steps.AddRange(host.Events.Select(line => $"{function}: {line}"));
        _steps.Add($"{function}: {trap ?? "returned"}");
        host.Clear();
    }

    /// <summary>Notes a memory's contents.</summary>
    public void NoteMemory(int index, ReadOnlySpan<byte> contents) => _steps.Add($"memory {index}: {contents.Length} bytes, hash {XxHash3.HashToUInt64(contents):x16}");

    /// <summary>The first difference from another run, or null where there is none.</summary>
    /// <param name="other">The other run.</param>
    public string? DifferenceFrom(Observation other)
    {
        for (int index = 0; index < Math.Max(_steps.Count, other._steps.Count); index++)
        {
            string here = index < _steps.Count ? _steps[index] : "nothing more";
            string there = index < other._steps.Count ? other._steps[index] : "nothing more";
            if (here != there)
            {
                return $"step {index}: expected \"{here}\", found \"{there}\"";
            }
        }

        return null;
    }
}
