using Everheap.Vm.Wasi;

namespace Everheap.Vm.Tests.Wasi;

/// <summary>Host directories: read in place, changed in the heap, written back after the checkpoint, and never left.</summary>
internal sealed class HostDirectoryTests
{
    private WasiBed _bed = null!;
    private string _host = "";
    private string _outside = "";

    [SetUp]
    public void Start()
    {
        _bed = new WasiBed();
        _host = _bed.MakeFolder("host");
        _outside = _bed.MakeFolder("outside");
        File.WriteAllText(Path.Combine(_outside, "secret"), "secret");
        _bed.Options = new WasiOptions { Directories = [new DirectoryMapping(_host, "/data")] };
    }

    [TearDown]
    public void End() => _bed.Dispose();

    [Test]
    public void Files_of_the_host_are_seen_and_changes_wait_for_the_checkpoint()
    {
        Put("in.txt", "input");
        Directory.CreateDirectory(At("sub"));
        Put("sub/deep", "deep");
        _bed.Start();
        Assert.That(_bed.List("."), Is.EqualTo(new[] { "in.txt", "sub" }));
        Assert.That(_bed.ReadFile("in.txt"), Is.EqualTo("input"));
        Assert.That(_bed.ReadFile("sub/deep"), Is.EqualTo("deep"));
        Assert.That(_bed.Stat("in.txt", out var type, out ulong size), Is.EqualTo(Errno.Success));
        Assert.That((type, size), Is.EqualTo((FileType.RegularFile, 5UL)));

        _bed.WriteFile("out.txt", "output");
        uint descriptor = _bed.Open("in.txt");
        _bed.Write(descriptor, "IN");
        _bed.OnPath("path_unlink_file", "sub/deep");
        _bed.OnPath("path_remove_directory", "sub");
        Assert.That(_bed.ReadFile("in.txt"), Is.EqualTo("INput"));
        Assert.That(_bed.List("."), Is.EqualTo(new[] { "in.txt", "out.txt" }));
        long number = _bed.CommitOnly();
        Assert.That(Names(), Is.EqualTo(new[] { "in.txt", "sub", "sub/deep" }));
        Assert.That(Get("in.txt"), Is.EqualTo("input"));
        _bed.Host.Release(number);
        Assert.That(Names(), Is.EqualTo(new[] { "in.txt", "out.txt" }));
        Assert.That(Get("in.txt"), Is.EqualTo("INput"));
        Assert.That(Get("out.txt"), Is.EqualTo("output"));
        Assert.That(_bed.List("."), Is.EqualTo(new[] { "in.txt", "out.txt" }));
    }

    [Test]
    public void What_was_not_committed_never_reaches_the_host()
    {
        Put("keep", "1");
        _bed.Start();
        _bed.WriteFile("keep", "2");
        _bed.WriteFile("new", "2");
        _bed.KillAndResume();
        Assert.That(_bed.ReadFile("keep"), Is.EqualTo("1"));
        _bed.Finish();
        Assert.That(Names(), Is.EqualTo(new[] { "keep" }));
        Assert.That(Get("keep"), Is.EqualTo("1"));
    }

    [Test]
    public void What_was_committed_reaches_the_host_at_resume()
    {
        Put("gone", "1");
        _bed.Start();
        _bed.WriteFile("new", "2");
        _bed.OnPath("path_unlink_file", "gone");
        _bed.CommitOnly();
        _bed.KillAndResume();
        Assert.That(Names(), Is.EqualTo(new[] { "new" }));
    }

    [Test]
    public void What_a_finished_program_wrote_is_not_written_again_by_a_later_resume()
    {
        _bed.Start();
        _bed.WriteFile("result", "by the program");
        _bed.Finish();
        Put("result", "by the user");
        _bed.KillAndResume();
        _bed.Host.Finish();
        Assert.That(Get("result"), Is.EqualTo("by the user"));
    }

    [Test]
    public void Links_that_lead_out_of_the_directory_are_refused()
    {
        File.CreateSymbolicLink(At("abs"), Path.Combine(_outside, "secret"));
        File.CreateSymbolicLink(At("rel"), "../outside/secret");
        Directory.CreateSymbolicLink(At("dir"), "../outside");
        File.CreateSymbolicLink(At("fine"), "real");
        Put("real", "ok");
        _bed.Start();
        Assert.That(_bed.TryOpen("abs", out _), Is.EqualTo(Errno.NotPermitted));
        Assert.That(_bed.TryOpen("rel", out _), Is.EqualTo(Errno.NotPermitted));
        Assert.That(_bed.TryOpen("dir/secret", out _), Is.EqualTo(Errno.NotPermitted));
        Assert.That(_bed.TryOpen("dir/new", out _, OpenFlags.Create), Is.EqualTo(Errno.NotPermitted));
        Assert.That(_bed.TryOpen("../outside/secret", out _), Is.EqualTo(Errno.NotPermitted));
        Assert.That(_bed.Stat("abs", out _, out _), Is.EqualTo(Errno.NotPermitted));
        Assert.That(_bed.Stat("abs", out var type, out _, follow: false), Is.EqualTo(Errno.Success));
        Assert.That(type, Is.EqualTo(FileType.SymbolicLink));
        Assert.That(_bed.ReadFile("fine"), Is.EqualTo("ok"));
        Assert.That(_bed.Rename("abs", "moved"), Is.EqualTo(Errno.Success));
        Assert.That(_bed.TryOpen("moved", out _), Is.EqualTo(Errno.NotPermitted));
        _bed.Finish();
        Assert.That(File.ReadAllText(Path.Combine(_outside, "secret")), Is.EqualTo("secret"));
    }

    [Test]
    public void A_directory_that_became_a_link_on_the_host_is_not_written_through()
    {
        Directory.CreateDirectory(At("d"));
        Put("d/f", "1");
        _bed.Start();

        // The program swaps its directory for a link and back; each state gets to the host.
        _bed.OnPath("path_unlink_file", "d/f");
        _bed.OnPath("path_remove_directory", "d");
        _bed.Symlink("elsewhere", "d");
        _bed.Checkpoint();
        Assert.That(new FileInfo(At("d")).LinkTarget, Is.EqualTo("elsewhere"));
        File.Delete(At("d"));
        Directory.CreateSymbolicLink(At("d"), "../outside");
        _bed.OnPath("path_unlink_file", "d");
        _bed.OnPath("path_create_directory", "d");
        _bed.WriteFile("d/secret", "overwritten");
        Assert.That(_bed.List("d"), Is.EqualTo(new[] { "secret" }));
        _bed.Finish();
        Assert.That(File.ReadAllText(Path.Combine(_outside, "secret")), Is.EqualTo("secret"));
        Assert.That(Get("d/secret"), Is.EqualTo("overwritten"));
    }

    [Test]
    public void A_file_that_is_open_when_it_is_removed_goes_on_after_the_host_lost_it()
    {
        Put("f", "content");
        _bed.Start();
        uint descriptor = _bed.Open("f", rights: Rights.FdRead);
        Assert.That(_bed.ReadText(descriptor, 3), Is.EqualTo("con"));
        _bed.OnPath("path_unlink_file", "f");
        _bed.Checkpoint();
        Assert.That(Names(), Is.Empty);
        _bed.KillAndResume();
        Assert.That(_bed.ReadText(descriptor, 10), Is.EqualTo("tent"));
    }

    [Test]
    public void A_directory_of_the_host_moves_with_all_that_is_in_it()
    {
        Directory.CreateDirectory(At("a/b"));
        Put("a/one", "1");
        Put("a/b/two", "2");
        Directory.CreateDirectory(At("z"));
        _bed.Start();
        Assert.That(_bed.Rename("a", "z"), Is.EqualTo(Errno.Success));
        Assert.That(_bed.ReadFile("z/b/two"), Is.EqualTo("2"));
        _bed.OnPath("path_create_directory", "a");
        _bed.WriteFile("a/three", "3");
        _bed.Finish();
        Assert.That(Names(), Is.EqualTo(new[] { "a", "a/three", "z", "z/b", "z/b/two", "z/one" }));
    }

    [Test]
    public void A_file_with_other_names_on_the_host_keeps_them_when_it_is_replaced()
    {
        Put("f", "old");
        _bed.Start();
        _bed.WriteFile("tmp", "new");
        _bed.Rename("tmp", "f");
        using var reader = new StreamReader(At("f"));
        _bed.Finish();
        Assert.That(reader.ReadToEnd(), Is.EqualTo("old"));
        Assert.That(Get("f"), Is.EqualTo("new"));
    }

    [Test]
    public void What_others_put_into_a_removed_directory_stays()
    {
        Directory.CreateDirectory(At("d"));
        _bed.Start();
        _bed.OnPath("path_remove_directory", "d");
        long number = _bed.CommitOnly();
        Put("d/other", "not the program's");
        _bed.Host.Release(number);
        _bed.Finish();
        Assert.That(Get("d/other"), Is.EqualTo("not the program's"));
        Assert.That(_bed.Diagnostics, Has.Some.Contains("stays"));
    }

    [Test]
    public void A_file_that_others_removed_while_it_was_changed_is_written_whole()
    {
        Put("f", "0123456789");
        _bed.Start();
        uint descriptor = _bed.Open("f");
        _bed.Write(descriptor, "x");
        _bed.Checkpoint();
        File.Delete(At("f"));
        _bed.Write(descriptor, "y");
        _bed.Checkpoint();
        _bed.Finish();
        Assert.That(Get("f"), Is.EqualTo("xy23456789"));
    }

    [Test]
    public void A_refusing_host_is_told_and_tried_again()
    {
        _bed.Start();
        Directory.CreateDirectory(At("f"));
        Put("f/other", "in the way");
        Directory.Move(At("f"), At("g"));
        _bed.WriteFile("f", "mine");
        long number = _bed.CommitOnly();
        Directory.Move(At("g"), At("f"));
        _bed.Host.Release(number);
        _bed.Checkpoint();
        Assert.That(_bed.Diagnostics, Has.Some.Contains("cannot be written back"));
        Assert.That(() => _bed.Host.Finish(), Throws.InstanceOf<IOException>());
        Directory.Delete(At("f"), recursive: true);
        _bed.Host.Finish();
        Assert.That(Get("f"), Is.EqualTo("mine"));
    }

    [Test]
    public void Times_that_the_program_set_are_set_on_the_host()
    {
        Put("old", "x");
        _bed.Start();
        foreach (string name in (string[])["old", "new"])
        {
            if (name == "new")
            {
                _bed.WriteFile(name, "y");
            }

            var (path, length) = _bed.PutText(name);
            _bed.Call("path_filestat_set_times", 3, 1, path, length, 0, 1_500_000_000_000_000_000, (ulong)TimeFlags.Modification);
        }

        _bed.Finish();
        Assert.That(File.GetLastWriteTimeUtc(At("old")), Is.EqualTo(DateTimeOffset.FromUnixTimeSeconds(1_500_000_000).UtcDateTime));
        Assert.That(File.GetLastWriteTimeUtc(At("new")), Is.EqualTo(DateTimeOffset.FromUnixTimeSeconds(1_500_000_000).UtcDateTime));
        Assert.That(Get("old"), Is.EqualTo("x"));
    }

    [Test]
    public void A_resume_may_bring_the_directory_from_another_place_and_says_so_if_it_is_missing()
    {
        Put("f", "1");
        _bed.Start();
        _bed.Checkpoint();
        _bed.Kill();
        string moved = Path.Combine(_bed.Folder, "moved");
        Directory.Move(_host, moved);
        Assert.That(_bed.Resume, Throws.TypeOf<DirectoryNotFoundException>().With.Message.Contains(_host));
        _bed.Kill();
        _bed.Options = new WasiOptions { Directories = [new DirectoryMapping(moved, "/data")] };
        _bed.Resume();
        Assert.That(_bed.ReadFile("f"), Is.EqualTo("1"));
        _bed.WriteFile("f", "2");
        _bed.Finish();
        Assert.That(File.ReadAllText(Path.Combine(moved, "f")), Is.EqualTo("2"));
    }

    [Test]
    public void One_directory_under_two_names_is_one_directory_and_nested_ones_are_refused()
    {
        Put("f", "1");
        _bed.Options = new WasiOptions { Directories = [new DirectoryMapping(_host, "/a"), new DirectoryMapping(_host + "/", "/b")] };
        _bed.Start();
        _bed.WriteFile("f", "2");
        _bed.Checkpoint();
        _bed.KillAndResume();
        _bed.WriteFile("g", "3");
        Assert.That(_bed.TryOpen("g", out uint descriptor, directory: 4), Is.EqualTo(Errno.Success));
        Assert.That(_bed.ReadText(descriptor, 10), Is.EqualTo("3"));
        Assert.That(_bed.Rename("g", "h", directory: 4, toDirectory: 3), Is.EqualTo(Errno.Success));
        _bed.Finish();
        Assert.That((Get("f"), Get("h")), Is.EqualTo(("2", "3")));

        using var nested = new WasiBed { Options = new WasiOptions { Directories = [new DirectoryMapping(_host, "/a"), new DirectoryMapping(_bed.Folder, "/b")] } };
        Assert.That(nested.Start, Throws.ArgumentException.With.Message.Contains("inside the other"));
    }

    [Test]
    public void A_missing_directory_is_refused_at_the_start()
    {
        _bed.Options = new WasiOptions { Directories = [new DirectoryMapping(At("none"), "/data")] };
        Assert.That(_bed.Start, Throws.TypeOf<DirectoryNotFoundException>());
    }

    [Test]
    public void Reading_many_files_leaves_nothing_behind_in_the_state()
    {
        for (int i = 0; i < 200; i++)
        {
            Put($"f{i}", "x");
        }

        _bed.Start();
        _bed.Checkpoint();
        long before = _bed.FilesSectionBytes();
        for (int i = 0; i < 200; i++)
        {
            _bed.ReadFile($"f{i}");
        }

        _bed.Checkpoint();
        Assert.That(_bed.FilesSectionBytes(), Is.EqualTo(before));
    }

    [Test]
    public void Much_changed_content_is_handed_over_in_bounded_parts_and_arrives_whole()
    {
        const int Pieces = 80;
        byte[] piece = new byte[500_000];
        _bed.Start();
        Put("victim", "x");
        uint descriptor = _bed.Open("big", OpenFlags.Create);
        for (int i = 0; i < Pieces; i++)
        {
            Array.Fill(piece, (byte)i);
            _bed.Write(descriptor, piece);
        }

        _bed.OnPath("path_unlink_file", "victim");
        _bed.Checkpoint();
        Assert.That(File.Exists(At("victim")), "nothing is removed before what may replace it is there");
        int checkpoints = 1;
        for (; File.Exists(At("victim")); checkpoints++)
        {
            _bed.Checkpoint();
        }

        Assert.That(checkpoints, Is.EqualTo((Pieces * piece.Length / WasiLimits.WriteBackBytesPerCheckpoint) + 1));
        byte[] written = File.ReadAllBytes(At("big"));
        Assert.That(written, Has.Length.EqualTo(Pieces * piece.Length));
        Assert.That(Enumerable.Range(0, Pieces).All(i => written.AsSpan(i * piece.Length, piece.Length).IndexOfAnyExcept((byte)i) < 0));
    }

    private string At(string path) => Path.Combine(_host, path);

    private void Put(string path, string text) => File.WriteAllText(At(path), text);

    private string Get(string path) => File.ReadAllText(At(path));

    private string[] Names() =>
        [.. Directory.EnumerateFileSystemEntries(_host, "*", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(_host, path)).Order(StringComparer.Ordinal)];
}
