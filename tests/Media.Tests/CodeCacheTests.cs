using Everheap.Media.Tests.Volumes;
using Everheap.Vm;
using Everheap.Vm.Modules;

namespace Everheap.Media.Tests;

/// <summary>The cache of compiled code on a medium that is full: programs run without it.</summary>
[TestFixture]
internal sealed class CodeCacheTests
{
    // A function _start that does nothing.
    private static readonly byte[] Program =
    [
        0, 0x61, 0x73, 0x6D, 1, 0, 0, 0,
        1, 4, 1, 0x60, 0, 0,
        3, 2, 1, 0,
        7, 10, 1, 6, .. "_start"u8, 0, 0,
        10, 4, 1, 2, 0, 0x0B,
    ];

    [Test]
    public void A_program_runs_without_where_there_is_no_room_and_keeps_its_code_when_there_is([Values] VolumeKind kind)
    {
        using Volume volume = Volume.Mount(kind);
        using MediaFolder folder = new();
        volume.FillUp(leave: 0);

        Run(folder["first.heap"], volume["cache"]);
        Assert.That(Entries(volume["cache"]), Is.Empty, "what could not be written whole is gone");
        volume.MakeRoom();
        Run(folder["second.heap"], volume["cache"]);
        Dictionary<string, DateTime> kept = Entries(volume["cache"]);
        Assert.That(kept, Has.Count.EqualTo(3), "that the module is valid, its one chunk, and its sites");
        Run(folder["third.heap"], volume["cache"]);
        Assert.That(Entries(volume["cache"]), Is.EqualTo(kept), "they were good");
    }

    private static void Run(string heap, string folder)
    {
        var options = new ProcessOptions { StandardInput = Stream.Null, StandardOutput = Stream.Null, StandardError = Stream.Null };
        using Process process = Process.Create(Module.Decode(Program, new CodeCache(folder)), heap, options);
        Assert.That(process.Run(), Is.EqualTo(new ProcessOutcome(ProcessState.Exited, 0, null)));
    }

    // The files there, and when they were written.
    private static Dictionary<string, DateTime> Entries(string folder) =>
        Directory.Exists(folder) ? Directory.GetFiles(folder, "*", SearchOption.AllDirectories).ToDictionary(file => file, File.GetLastWriteTimeUtc) : [];
}
