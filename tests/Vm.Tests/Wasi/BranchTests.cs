using System.Text;
using Everheap.Vm.Wasi;

namespace Everheap.Vm.Tests.Wasi;

/// <summary>
/// What the outside sees of a program that was forked or taken back: its output begins at that checkpoint, whatever its origin has shown or owes, and it
/// touches no host directory that it was not given.
/// </summary>
internal sealed class BranchTests
{
    private const string Origin = "program";
    private const string Fork = "fork";

    [Test]
    public void A_fork_shows_what_it_prints_itself_and_its_origin_what_was_owed()
    {
        using var bed = new WasiBed().Start();
        bed.Write(1, "shown ");
        bed.Checkpoint();
        bed.Write(1, "owed ");
        long number = bed.CommitOnly();
        bed.Store.Fork(Origin, number, Fork);

        var forkOutput = Switch(bed, Fork);
        Assert.That(Text(forkOutput), Is.Empty);
        bed.Write(1, "of the fork");
        bed.Finish();
        Assert.That(Text(forkOutput), Is.EqualTo("of the fork"));

        var originOutput = Switch(bed, Origin);
        Assert.That(Text(originOutput), Is.EqualTo("owed "));
        bed.Write(1, "of the origin");
        bed.Finish();
        Assert.That(Text(originOutput), Is.EqualTo("owed of the origin"));
    }

    [Test]
    public void What_the_origin_shows_after_the_fork_is_not_taken_for_the_forks()
    {
        using var bed = new WasiBed().Start();
        bed.Write(1, "before ");
        bed.Checkpoint();
        bed.Store.Fork(Origin, bed.CommitOnly(), Fork);
        bed.Write(1, "a long line that the origin prints and shows, of more bytes than the fork will print");
        bed.Checkpoint();

        var output = Switch(bed, Fork);
        bed.Write(1, "short");
        bed.Checkpoint();
        Assert.That(Text(output), Is.EqualTo("short"));
        bed.KillAndResume();
        bed.Write(1, " and more");
        bed.Finish();
        Assert.That(Text(output), Is.EqualTo("short and more"));
    }

    [Test]
    public void A_fork_that_is_killed_before_its_first_checkpoint_starts_again_with_nothing_shown()
    {
        using var bed = new WasiBed().Start();
        bed.Write(1, "before");
        bed.Store.Fork(Origin, bed.CommitOnly(), Fork);
        var output = Switch(bed, Fork);
        for (int i = 0; i < 3; i++)
        {
            bed.Write(1, "lost");
            bed.KillAndResume();
        }

        bed.Write(1, "kept");
        bed.CommitOnly();
        Assert.That(Text(output), Is.Empty);

        // What its own checkpoint covers is its own to show.
        bed.KillAndResume();
        Assert.That(Text(output), Is.EqualTo("kept"));
    }

    [Test]
    public void A_program_that_is_taken_back_prints_again_what_it_printed_from_there()
    {
        using var bed = new WasiBed().Start();
        bed.Write(1, "one ");
        bed.Checkpoint();
        long number = bed.CommitOnly();
        bed.Store.Retain(Origin, number);
        bed.Write(1, "two ");
        bed.Checkpoint();
        Assert.That(Text(bed.Output), Is.EqualTo("one two "));

        bed.Kill();
        using (var store = Engine.HeapStore.Open(Path.Combine(bed.Folder, "program.heap")))
        {
            store.Revert(Origin, number);
        }

        bed.Resume();
        bed.Write(1, "two ");
        bed.Checkpoint();
        bed.KillAndResume();
        bed.Write(1, "three");
        bed.Finish();
        Assert.That(Text(bed.Output), Is.EqualTo("one two two three"));
    }

    [Test]
    public void A_fork_into_a_file_is_exact_beside_its_origin_in_another()
    {
        using var bed = new WasiBed();
        var files = new Dictionary<string, FileStream>();
        bed.Streams = () =>
        {
            if (files.Remove(bed.HeapName, out FileStream? open))
            {
                open.Dispose();
            }

            files[bed.HeapName] = new FileStream(Path.Combine(bed.Folder, bed.HeapName + ".out"), FileMode.Append, FileAccess.Write);
            return (Stream.Null, files[bed.HeapName], bed.Error);
        };
        bed.Start();
        bed.Write(1, "common ");
        bed.Checkpoint();
        bed.Store.Fork(Origin, bed.CommitOnly(), Fork);
        for (int round = 0; round < 3; round++)
        {
            foreach (string name in (string[])[Fork, Origin])
            {
                bed.Kill();
                bed.HeapName = name;
                bed.Resume();
                bed.Write(1, $"{name} {round} ");

                // Shown, but killed before it is noted: the file's length tells.
                bed.AfterOutputPiece = () => throw new SimulatedKillException();
                long number = bed.CommitOnly();
                Assert.That(() => bed.Host.Release(number), Throws.TypeOf<SimulatedKillException>());
                bed.AfterOutputPiece = null;
            }
        }

        bed.KillAndResume();
        bed.Kill();
        foreach (FileStream file in files.Values)
        {
            file.Dispose();
        }

        Assert.That(File.ReadAllText(Path.Combine(bed.Folder, "program.out")), Is.EqualTo("common program 0 program 1 program 2 "));
        Assert.That(File.ReadAllText(Path.Combine(bed.Folder, "fork.out")), Is.EqualTo("fork 0 fork 1 fork 2 "));
        bed.Resume();
    }

    [Test]
    public void A_fork_of_a_program_with_host_directories_must_be_told_which_to_use()
    {
        using var bed = new WasiBed();
        string data = bed.MakeFolder("data");
        string copy = bed.MakeFolder("copy");
        bed.Options = new WasiOptions { Directories = [new DirectoryMapping(data, "/data")] };
        bed.Start();
        bed.WriteFile("file", "of the checkpoint");
        bed.Store.Fork(Origin, bed.CommitOnly(), Fork);
        bed.WriteFile("file", "of the origin, later");
        bed.Finish();

        bed.Kill();
        bed.HeapName = Fork;
        bed.Options = new WasiOptions();
        Assert.That(bed.Resume, Throws.TypeOf<IOException>().With.Message.Contains("--dir FOLDER::/data"));
        Assert.That(File.ReadAllText(Path.Combine(data, "file")), Is.EqualTo("of the origin, later"));

        bed.Kill();
        bed.Options = new WasiOptions { Directories = [new DirectoryMapping(copy, "/data")] };
        bed.Resume();
        Assert.That(bed.ReadFile("file"), Is.EqualTo("of the checkpoint"));
        bed.Checkpoint();

        // From its first own checkpoint on the fork knows its folder.
        bed.Options = new WasiOptions();
        bed.KillAndResume();
        bed.WriteFile("file", "of the fork");
        bed.Finish();
        Assert.That(File.ReadAllText(Path.Combine(copy, "file")), Is.EqualTo("of the fork"));
        Assert.That(File.ReadAllText(Path.Combine(data, "file")), Is.EqualTo("of the origin, later"));
    }

    [Test]
    public void A_program_whose_directory_is_moved_finds_it_there_after_the_next_kill_too()
    {
        using var bed = new WasiBed();
        string data = bed.MakeFolder("data");
        bed.Options = new WasiOptions { Directories = [new DirectoryMapping(data, "/data")] };
        bed.Start();
        bed.Kill();
        string moved = Path.Combine(bed.Folder, "moved");
        Directory.Move(data, moved);
        bed.Options = new WasiOptions { Directories = [new DirectoryMapping(moved, "/data")] };
        bed.Resume();
        bed.Checkpoint();
        bed.Options = new WasiOptions();
        bed.KillAndResume();
        bed.WriteFile("file", "here");
        bed.Finish();
        Assert.That(File.ReadAllText(Path.Combine(moved, "file")), Is.EqualTo("here"));
    }

    /// <summary>Kills the bed's program, and resumes another with an output of its own.</summary>
    private static MemoryStream Switch(WasiBed bed, string heapName)
    {
        bed.Kill();
        bed.HeapName = heapName;
        bed.Output = new MemoryStream();
        bed.Resume();
        return bed.Output;
    }

    private static string Text(MemoryStream stream) => Encoding.UTF8.GetString(stream.ToArray());
}
