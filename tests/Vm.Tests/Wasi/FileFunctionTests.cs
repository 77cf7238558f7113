using System.Text;
using Everheap.Vm.Wasi;

namespace Everheap.Vm.Tests.Wasi;

/// <summary>Every file function, on the directory in the heap and on a host directory: a program must not be able to tell them apart.</summary>
[TestFixture(false)]
[TestFixture(true)]
internal sealed class FileFunctionTests(bool onHost)
{
    private WasiBed _bed = null!;

    [SetUp]
    public void Start()
    {
        _bed = new WasiBed();
        if (onHost)
        {
            _bed.Options = new WasiOptions { Directories = [new DirectoryMapping(_bed.MakeFolder("host"), "/data")] };
        }

        _bed.Start();
    }

    [TearDown]
    public void End() => _bed.Dispose();

    [Test]
    public void The_preopened_directory_has_its_name()
    {
        string name = onHost ? "/data" : "/";
        ulong result = _bed.Scratch(16);
        Assert.That(_bed.Call("fd_prestat_get", 3, result), Is.EqualTo(Errno.Success));
        Assert.That(_bed.GetU32(result), Is.Zero);
        Assert.That(_bed.GetU32(result + 4), Is.EqualTo((uint)name.Length));
        Assert.That(_bed.Call("fd_prestat_dir_name", 3, result, (ulong)name.Length), Is.EqualTo(Errno.Success));
        Assert.That(Encoding.UTF8.GetString(_bed.Get(result, name.Length)), Is.EqualTo(name));
        Assert.That(_bed.Call("fd_prestat_dir_name", 3, result, 0), Is.EqualTo(Errno.NameTooLong));
        Assert.That(_bed.Call("fd_prestat_get", 4, result), Is.EqualTo(Errno.BadDescriptor));
    }

    [Test]
    public void A_file_is_written_and_read_back_and_survives_kills_as_of_the_checkpoint()
    {
        _bed.WriteFile("a.txt", "hello");
        _bed.Checkpoint();
        _bed.WriteFile("a.txt", "HELLO WORLD");
        _bed.WriteFile("b.txt", "new");
        _bed.KillAndResume();
        Assert.That(_bed.ReadFile("a.txt"), Is.EqualTo("hello"));
        Assert.That(_bed.TryOpen("b.txt", out _), Is.EqualTo(Errno.NoEntry));
    }

    [Test]
    public void Open_descriptors_go_on_at_their_place_over_a_kill()
    {
        uint descriptor = _bed.Open("f", OpenFlags.Create);
        _bed.Write(descriptor, "abcdef");
        Seek(descriptor, 2, Whence.Set);
        _bed.Checkpoint();
        _bed.Write(descriptor, "XX");
        _bed.KillAndResume();
        Assert.That(_bed.ReadText(descriptor, 10), Is.EqualTo("cdef"));
        Assert.That(_bed.Open("f", rights: Rights.FdRead), Is.EqualTo(descriptor + 1));
    }

    [Test]
    public void Open_flags_do_what_they_say()
    {
        Assert.That(_bed.TryOpen("none", out _), Is.EqualTo(Errno.NoEntry));
        Assert.That(_bed.TryOpen("f", out uint descriptor, OpenFlags.Create | OpenFlags.Exclusive), Is.EqualTo(Errno.Success));
        _bed.Write(descriptor, "12345");
        Assert.That(_bed.TryOpen("f", out _, OpenFlags.Create | OpenFlags.Exclusive), Is.EqualTo(Errno.Exists));
        Assert.That(_bed.TryOpen("f", out _, OpenFlags.Directory), Is.EqualTo(Errno.NotDirectory));
        Assert.That(_bed.TryOpen("f/x", out _), Is.EqualTo(Errno.NotDirectory));
        Assert.That(_bed.TryOpen("f/", out _), Is.EqualTo(Errno.NotDirectory));
        Assert.That(_bed.TryOpen("f", out _, OpenFlags.Create | OpenFlags.Directory), Is.EqualTo(Errno.Invalid));
        Assert.That(_bed.TryOpen("f", out _, (OpenFlags)16), Is.EqualTo(Errno.Invalid));
        Assert.That(_bed.TryOpen("f", out _, directory: descriptor), Is.EqualTo(Errno.NotDirectory));
        Assert.That(_bed.TryOpen("f", out _, directory: 99), Is.EqualTo(Errno.BadDescriptor));
        _bed.Open("f", OpenFlags.Truncate);
        Assert.That(_bed.ReadFile("f"), Is.Empty);
        _bed.OnPath("path_create_directory", "d");
        Assert.That(_bed.TryOpen("d", out _, rights: Rights.FdWrite), Is.EqualTo(Errno.IsDirectory));
        Assert.That(_bed.TryOpen("d", out _, rights: Rights.FdRead), Is.EqualTo(Errno.Success));
        Assert.That(_bed.TryOpen("d/none/x", out _, OpenFlags.Create), Is.EqualTo(Errno.NoEntry));
        Assert.That(_bed.TryOpen("new/", out _, OpenFlags.Create), Is.EqualTo(Errno.IsDirectory));
    }

    [Test]
    public void Appending_writes_at_the_end_wherever_the_place_is()
    {
        _bed.WriteFile("log", "1");
        uint descriptor = _bed.Open("log", fdFlags: FdFlags.Append);
        _bed.Write(descriptor, "2");
        Seek(descriptor, 0, Whence.Set);
        _bed.Write(descriptor, "3");
        Assert.That(_bed.ReadFile("log"), Is.EqualTo("123"));
    }

    [Test]
    public void Seeking_goes_to_all_places_but_before_the_start()
    {
        uint descriptor = _bed.Open("f", OpenFlags.Create);
        _bed.Write(descriptor, "0123456789");
        Assert.That(Seek(descriptor, -3, Whence.End), Is.EqualTo((Errno.Success, 7UL)));
        Assert.That(Seek(descriptor, 1, Whence.Current), Is.EqualTo((Errno.Success, 8UL)));
        Assert.That(Seek(descriptor, -9, Whence.Current).Errno, Is.EqualTo(Errno.Invalid));
        Assert.That(Seek(descriptor, 0, (Whence)3).Errno, Is.EqualTo(Errno.Invalid));
        Assert.That(Seek(descriptor, long.MaxValue, Whence.Current).Errno, Is.EqualTo(Errno.Overflow));
        ulong place = _bed.Scratch(8);
        Assert.That(_bed.Call("fd_tell", descriptor, place), Is.EqualTo(Errno.Success));
        Assert.That(_bed.GetU64(place), Is.EqualTo(8));
        Seek(descriptor, 20, Whence.Set);
        _bed.Write(descriptor, "x");
        Assert.That(_bed.ReadFile("f"), Is.EqualTo("0123456789" + new string('\0', 10) + "x"));
        Assert.That(_bed.Call("fd_seek", 3, 0, 0, place), Is.EqualTo(Errno.BadDescriptor));
    }

    [Test]
    public void Positional_reads_and_writes_leave_the_place_alone()
    {
        uint descriptor = _bed.Open("f", OpenFlags.Create);
        _bed.Write(descriptor, "0123456789");
        ulong buffer = _bed.Scratch(16);
        ulong result = _bed.Scratch(4);
        Assert.That(_bed.Call("fd_pread", descriptor, _bed.PutVector(buffer, 4), 1, 2, result), Is.EqualTo(Errno.Success));
        Assert.That(Encoding.ASCII.GetString(_bed.Get(buffer, (int)_bed.GetU32(result))), Is.EqualTo("2345"));
        Assert.That(_bed.Call("fd_pwrite", descriptor, _bed.PutVector(_bed.Put("ab"u8), 2), 1, 1, result), Is.EqualTo(Errno.Success));
        Assert.That(Seek(descriptor, 0, Whence.Current), Is.EqualTo((Errno.Success, 10UL)));
        Assert.That(_bed.ReadFile("f"), Is.EqualTo("0ab3456789"));
        Assert.That(_bed.Call("fd_pread", descriptor, 0, 0, ulong.MaxValue, result), Is.EqualTo(Errno.Invalid));
        Assert.That(_bed.Call("fd_pwrite", descriptor, _bed.PutVector(buffer, 1), 1, long.MaxValue, result), Is.EqualTo(Errno.FileTooBig));
        Assert.That(_bed.Call("fd_pread", descriptor, _bed.PutVector(buffer, 4), 1, 100, result), Is.EqualTo(Errno.Success));
        Assert.That(_bed.GetU32(result), Is.Zero);
    }

    [Test]
    public void Lengths_are_set_both_ways_and_what_was_cut_is_zero_when_it_comes_back()
    {
        uint descriptor = _bed.Open("f", OpenFlags.Create);
        _bed.Write(descriptor, new string('x', 10_000));
        Assert.That(_bed.Call("fd_filestat_set_size", descriptor, 3), Is.EqualTo(Errno.Success));
        Assert.That(_bed.Call("fd_filestat_set_size", descriptor, 6), Is.EqualTo(Errno.Success));
        Assert.That(_bed.ReadFile("f"), Is.EqualTo("xxx\0\0\0"));
        Assert.That(_bed.Call("fd_allocate", descriptor, 6, 4), Is.EqualTo(Errno.Success));
        Assert.That(_bed.Call("fd_allocate", descriptor, 0, 1), Is.EqualTo(Errno.Success));
        Assert.That(_bed.Stat("f", out var type, out ulong size), Is.EqualTo(Errno.Success));
        Assert.That((type, size), Is.EqualTo((FileType.RegularFile, 10UL)));
        Assert.That(_bed.Call("fd_allocate", descriptor, 0, 0), Is.EqualTo(Errno.Invalid));
        Assert.That(_bed.Call("fd_filestat_set_size", descriptor, long.MaxValue), Is.EqualTo(Errno.FileTooBig));
        Assert.That(_bed.Call("fd_filestat_set_size", 3, 0), Is.EqualTo(Errno.BadDescriptor));
        foreach (string function in (string[])["fd_sync", "fd_datasync"])
        {
            Assert.That(_bed.Call(function, descriptor), Is.EqualTo(Errno.Success));
        }

        Assert.That(_bed.Call("fd_advise", descriptor, 0, 0, 1), Is.EqualTo(Errno.Success));
        Assert.That(_bed.Call("fd_advise", descriptor, 0, 0, 9), Is.EqualTo(Errno.Invalid));
    }

    [Test]
    public void A_large_file_outgrows_its_first_ranges_whole()
    {
        var random = new Random(7);
        byte[] content = new byte[3_000_000];
        random.NextBytes(content);
        uint descriptor = _bed.Open("big", OpenFlags.Create);
        for (int at = 0; at < content.Length; at += 250_000)
        {
            Assert.That(_bed.Write(descriptor, content.AsSpan(at, 250_000)), Is.EqualTo(Errno.Success));
        }

        _bed.Checkpoint();
        _bed.KillAndResume();
        Seek(descriptor, 0, Whence.Set);
        var read = new MemoryStream();
        while (_bed.ReadBytes(descriptor, 300_000) is { Length: > 0 } piece)
        {
            read.Write(piece);
        }

        Assert.That(read.ToArray().AsSpan().SequenceEqual(content));
    }

    [Test]
    public void A_file_open_for_one_direction_refuses_the_other()
    {
        _bed.WriteFile("f", "x");
        uint reader = _bed.Open("f", rights: Rights.FdRead);
        uint writer = _bed.Open("f", rights: Rights.FdWrite);
        Assert.That(_bed.Write(reader, "y"), Is.EqualTo(Errno.BadDescriptor));
        Assert.That(_bed.Call("fd_read", writer, 0, 0, 0), Is.EqualTo(Errno.BadDescriptor));
        Assert.That(_bed.Call("fd_read", 3, 0, 0, 0), Is.EqualTo(Errno.IsDirectory));
        Assert.That(_bed.Call("fd_fdstat_set_rights", reader, (ulong)Rights.FdWrite, 0), Is.EqualTo(Errno.NotCapable));
        Assert.That(_bed.Call("fd_fdstat_set_rights", reader, 0, 0), Is.EqualTo(Errno.Success));
        Assert.That(_bed.Call("fd_read", reader, 0, 0, 0), Is.EqualTo(Errno.BadDescriptor));
    }

    [Test]
    public void Directories_are_made_listed_and_removed()
    {
        Assert.That(_bed.OnPath("path_create_directory", "d"), Is.EqualTo(Errno.Success));
        Assert.That(_bed.OnPath("path_create_directory", "d"), Is.EqualTo(Errno.Exists));
        Assert.That(_bed.OnPath("path_create_directory", "x/y"), Is.EqualTo(Errno.NoEntry));
        Assert.That(_bed.OnPath("path_create_directory", "d/e/"), Is.EqualTo(Errno.Success));
        _bed.WriteFile("d/f", "1");
        Assert.That(_bed.List("d"), Is.EqualTo(new[] { "e", "f" }));
        Assert.That(_bed.OnPath("path_remove_directory", "d"), Is.EqualTo(Errno.NotEmpty));
        Assert.That(_bed.OnPath("path_remove_directory", "d/f"), Is.EqualTo(Errno.NotDirectory));
        Assert.That(_bed.OnPath("path_remove_directory", "d/."), Is.EqualTo(Errno.Invalid));
        Assert.That(_bed.OnPath("path_unlink_file", "d/e"), Is.EqualTo(Errno.IsDirectory));
        Assert.That(_bed.OnPath("path_unlink_file", "d/none"), Is.EqualTo(Errno.NoEntry));
        Assert.That(_bed.OnPath("path_unlink_file", "d/f"), Is.EqualTo(Errno.Success));
        Assert.That(_bed.OnPath("path_remove_directory", "d/e"), Is.EqualTo(Errno.Success));
        Assert.That(_bed.OnPath("path_remove_directory", "d"), Is.EqualTo(Errno.Success));
        Assert.That(_bed.OnPath("path_remove_directory", "d"), Is.EqualTo(Errno.NoEntry));
        Assert.That(_bed.List("."), Is.Empty);
    }

    [Test]
    public void A_removed_directory_that_is_open_is_empty_and_stays_so()
    {
        _bed.OnPath("path_create_directory", "d");
        uint descriptor = _bed.Open("d", OpenFlags.Directory, Rights.Directory);
        _bed.OnPath("path_remove_directory", "d");
        Assert.That(_bed.TryOpen("x", out _, OpenFlags.Create, directory: descriptor), Is.EqualTo(Errno.NoEntry));
        Assert.That(_bed.List(descriptor, 100, 0, out _), Is.EqualTo(new[] { ".", ".." }));
        _bed.Checkpoint();
        _bed.KillAndResume();
        Assert.That(_bed.OnPath("path_create_directory", "x", descriptor), Is.EqualTo(Errno.NoEntry));
    }

    [Test]
    public void Cookies_stay_good_while_names_come_and_go_and_over_a_kill()
    {
        string[] names = [.. Enumerable.Range(0, 40).Select(static i => $"file{i:00}")];
        foreach (string name in names)
        {
            _bed.WriteFile(name, "");
        }

        uint descriptor = _bed.Open(".", OpenFlags.Directory, Rights.Directory);
        var first = _bed.List(descriptor, 300, 0, out ulong cookie, callsMax: 1);
        foreach (string name in names.Where(static (_, i) => i % 2 == 0))
        {
            _bed.OnPath("path_unlink_file", name);
        }

        _bed.WriteFile("aaa", "");
        _bed.Checkpoint();
        _bed.KillAndResume();
        var rest = _bed.List(descriptor, 300, cookie, out _);
        Assert.That(first.Concat(rest), Is.EqualTo(names.Prepend("..").Prepend(".")));
        Assert.That(_bed.List("."), Has.Count.EqualTo(21).And.Contains("aaa"));
        Assert.That(_bed.Call("fd_readdir", 1, 0, 0, 0, 0), Is.EqualTo(Errno.NotDirectory));
    }

    [Test]
    public void Renames_replace_what_may_be_replaced()
    {
        _bed.WriteFile("a", "A");
        _bed.WriteFile("b", "B");
        _bed.OnPath("path_create_directory", "d");
        _bed.OnPath("path_create_directory", "e");
        _bed.WriteFile("d/x", "X");
        Assert.That(_bed.Rename("none", "x"), Is.EqualTo(Errno.NoEntry));
        Assert.That(_bed.Rename("a", "a"), Is.EqualTo(Errno.Success));
        Assert.That(_bed.Rename("a", "d"), Is.EqualTo(Errno.IsDirectory));
        Assert.That(_bed.Rename("d", "a"), Is.EqualTo(Errno.NotDirectory));
        Assert.That(_bed.Rename("e", "d"), Is.EqualTo(Errno.NotEmpty));
        Assert.That(_bed.Rename("d", "d/sub"), Is.EqualTo(Errno.Invalid));
        Assert.That(_bed.Rename("a", "new/"), Is.EqualTo(Errno.NotDirectory));
        Assert.That(_bed.Rename("a", "b"), Is.EqualTo(Errno.Success));
        Assert.That(_bed.ReadFile("b"), Is.EqualTo("A"));
        Assert.That(_bed.TryOpen("a", out _), Is.EqualTo(Errno.NoEntry));
        Assert.That(_bed.Rename("d", "e"), Is.EqualTo(Errno.Success));
        Assert.That(_bed.ReadFile("e/x"), Is.EqualTo("X"));
        Assert.That(_bed.List("."), Is.EqualTo(new[] { "b", "e" }));
    }

    [Test]
    public void A_file_without_a_name_lives_as_long_as_it_is_open()
    {
        uint descriptor = _bed.Open("f", OpenFlags.Create);
        _bed.Write(descriptor, "still here");
        _bed.OnPath("path_unlink_file", "f");
        _bed.Checkpoint();
        _bed.KillAndResume();
        _bed.Write(descriptor, "!");
        Seek(descriptor, 0, Whence.Set);
        Assert.That(_bed.ReadText(descriptor, 100), Is.EqualTo("still here!"));
        Assert.That(_bed.Close(descriptor), Is.EqualTo(Errno.Success));
        Assert.That(_bed.List("."), Is.Empty);
    }

    [Test]
    public void Symbolic_links_are_followed_read_and_never_lead_out()
    {
        _bed.WriteFile("target", "T");
        _bed.OnPath("path_create_directory", "d");
        Assert.That(_bed.Symlink("../target", "d/up"), Is.EqualTo(Errno.Success));
        Assert.That(_bed.Symlink("x", "d/up"), Is.EqualTo(Errno.Exists));
        Assert.That(_bed.Symlink("/etc/passwd", "abs"), Is.EqualTo(Errno.NotPermitted));
        Assert.That(_bed.Symlink("../../etc", "d/out"), Is.EqualTo(Errno.Success));
        Assert.That(_bed.Symlink("loop2", "loop1"), Is.EqualTo(Errno.Success));
        Assert.That(_bed.Symlink("loop1", "loop2"), Is.EqualTo(Errno.Success));
        Assert.That(_bed.ReadFile("d/up"), Is.EqualTo("T"));
        Assert.That(_bed.Readlink("d/up", out string target), Is.EqualTo(Errno.Success));
        Assert.That(target, Is.EqualTo("../target"));
        Assert.That(_bed.Readlink("d/up", out target, room: 4), Is.EqualTo(Errno.Success));
        Assert.That(target, Is.EqualTo("../t"));
        Assert.That(_bed.Readlink("target", out _), Is.EqualTo(Errno.Invalid));
        Assert.That(_bed.TryOpen("d/out/passwd", out _), Is.EqualTo(Errno.NotPermitted));
        Assert.That(_bed.TryOpen("loop1", out _), Is.EqualTo(Errno.Loop));
        Assert.That(_bed.TryOpen("d/up", out _, follow: false), Is.EqualTo(Errno.Loop));
        Assert.That(_bed.Stat("d/up", out var type, out _, follow: false), Is.EqualTo(Errno.Success));
        Assert.That(type, Is.EqualTo(FileType.SymbolicLink));
        Assert.That(_bed.OnPath("path_unlink_file", "d/up"), Is.EqualTo(Errno.Success));
        Assert.That(_bed.ReadFile("target"), Is.EqualTo("T"));
    }

    [Test]
    public void Paths_that_lead_out_or_are_malformed_are_refused()
    {
        _bed.OnPath("path_create_directory", "d");
        uint inside = _bed.Open("d", OpenFlags.Directory, Rights.Directory);
        Assert.That(_bed.TryOpen("..", out _), Is.EqualTo(Errno.NotPermitted));
        Assert.That(_bed.TryOpen("d/../../x", out _), Is.EqualTo(Errno.NotPermitted));
        Assert.That(_bed.TryOpen("/etc/passwd", out _), Is.EqualTo(Errno.NotPermitted));
        Assert.That(_bed.TryOpen("../d", out _, directory: inside), Is.EqualTo(Errno.NotPermitted));
        Assert.That(_bed.TryOpen("", out _), Is.EqualTo(Errno.NoEntry));
        Assert.That(_bed.TryOpen("a\0b", out _), Is.EqualTo(Errno.Invalid));
        Assert.That(_bed.TryOpen(new string('a', 256), out _), Is.EqualTo(Errno.NameTooLong));
        Assert.That(_bed.TryOpen(new string('a', 5000), out _), Is.EqualTo(Errno.NameTooLong));
        ulong bad = _bed.Put([0xFF, 0xFE]);
        Assert.That(_bed.Call("path_create_directory", 3, bad, 2), Is.EqualTo(Errno.IllegalByteSequence));
        Assert.That(_bed.TryOpen("./d/.././/d/./", out _, OpenFlags.Directory, Rights.Directory), Is.EqualTo(Errno.Success));
    }

    [Test]
    public void Times_are_set_and_survive()
    {
        _bed.WriteFile("f", "x");
        var (path, length) = _bed.PutText("f");
        Assert.That(
            _bed.Call("path_filestat_set_times", 3, 1, path, length, 1_000_000_000, 2_000_000_000, (ulong)(TimeFlags.Access | TimeFlags.Modification)),
            Is.EqualTo(Errno.Success));
        _bed.Checkpoint();
        _bed.KillAndResume();
        uint descriptor = _bed.Open("f");
        ulong stat = _bed.Scratch(64);
        _bed.Call("fd_filestat_get", descriptor, stat);
        Assert.That((_bed.GetU64(stat + 40), _bed.GetU64(stat + 48)), Is.EqualTo((1_000_000_000UL, 2_000_000_000UL)));
        Assert.That(_bed.Call("fd_filestat_set_times", descriptor, 0, 0, (ulong)TimeFlags.ModificationNow), Is.EqualTo(Errno.Success));
        _bed.Call("fd_filestat_get", descriptor, stat);
        Assert.That(_bed.GetU64(stat + 48), Is.EqualTo((ulong)(_bed.Time.Utc - DateTimeOffset.UnixEpoch).Ticks * 100));
        Assert.That(_bed.Call("fd_filestat_set_times", descriptor, 0, 0, 3), Is.EqualTo(Errno.Invalid));
        Assert.That(_bed.Call("fd_filestat_set_times", descriptor, 0, 0, 16), Is.EqualTo(Errno.Invalid));
    }

    [Test]
    public void Renumbering_closes_what_was_there()
    {
        _bed.WriteFile("a", "A");
        _bed.WriteFile("b", "B");
        uint a = _bed.Open("a");
        uint b = _bed.Open("b");
        Assert.That(_bed.Call("fd_renumber", a, b), Is.EqualTo(Errno.Success));
        Assert.That(_bed.ReadText(b, 10), Is.EqualTo("A"));
        Assert.That(_bed.Close(a), Is.EqualTo(Errno.BadDescriptor));
        Assert.That(_bed.Call("fd_renumber", b, 99), Is.EqualTo(Errno.BadDescriptor));
        Assert.That(_bed.Call("fd_renumber", b, b), Is.EqualTo(Errno.Success));
    }

    [Test]
    public void Too_many_open_files_are_refused_and_closing_makes_room()
    {
        _bed.WriteFile("f", "");
        uint last = 0;
        Errno errno;
        while ((errno = _bed.TryOpen("f", out uint descriptor)) == Errno.Success)
        {
            last = descriptor;
        }

        Assert.That(errno, Is.EqualTo(Errno.TooManyOpenFiles));
        Assert.That(last, Is.EqualTo(WasiLimits.DescriptorsMax - 1));
        _bed.Close(10);
        Assert.That(_bed.Open("f"), Is.EqualTo(10));
    }

    [Test]
    public void A_second_name_is_given_in_the_heap_alone()
    {
        _bed.WriteFile("f", "one");
        Assert.That(_bed.Link("none", "g"), Is.EqualTo(Errno.NoEntry));
        if (onHost)
        {
            Assert.That(_bed.Link("f", "g"), Is.EqualTo(Errno.NotSupported));
            return;
        }

        Assert.That(_bed.Link("f", "g"), Is.EqualTo(Errno.Success));
        Assert.That(_bed.Link("f", "g"), Is.EqualTo(Errno.Exists));
        uint descriptor = _bed.Open("g", OpenFlags.Truncate);
        _bed.Write(descriptor, "two");
        _bed.Checkpoint();
        _bed.KillAndResume();
        Assert.That(_bed.ReadFile("f"), Is.EqualTo("two"));
        ulong stat = _bed.Scratch(64);
        _bed.Call("fd_filestat_get", descriptor, stat);
        Assert.That(_bed.GetU64(stat + 24), Is.EqualTo(2));
        _bed.OnPath("path_unlink_file", "f");
        Assert.That(_bed.ReadFile("g"), Is.EqualTo("two"));
    }

    private (Errno Errno, ulong Place) Seek(uint descriptor, long delta, Whence whence)
    {
        ulong result = _bed.Scratch(8);
        return (_bed.Call("fd_seek", descriptor, (ulong)delta, (ulong)whence, result), _bed.GetU64(result));
    }
}
