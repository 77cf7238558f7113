using System.Text;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Tests.Caching;

/// <summary>A cache of compiled code saves work, and never changes what a program does: whatever has happened to its files.</summary>
internal sealed class CodeCacheTests
{
    private const string LastLine = "standard input: 0 lines, 0 bytes\n";

    private string _folder = "";
    private int _heaps;

    private string CachePath => Path.Combine(_folder, "cache");

    private static string HelloPath
    {
        get
        {
            string? folder = TestContext.CurrentContext.TestDirectory;
            while (folder is not null && !File.Exists(Path.Combine(folder, "Everheap.slnx")))
            {
                folder = Path.GetDirectoryName(folder);
            }

            return Path.Combine(folder ?? throw new DirectoryNotFoundException("no Everheap.slnx above the tests"), "samples", "hello.wasm");
        }
    }

    private static IEnumerable<TestCaseData> Damages()
    {
        yield return new TestCaseData((byte[] bytes) => Array.Empty<byte>()).SetArgDisplayNames("emptied");
        yield return new TestCaseData((byte[] bytes) => bytes[..20]).SetArgDisplayNames("cut within the head");
        yield return new TestCaseData((byte[] bytes) => bytes[..^1]).SetArgDisplayNames("a byte short");
        yield return new TestCaseData((byte[] bytes) => bytes[..40]).SetArgDisplayNames("cut to the head");
        yield return new TestCaseData((byte[] bytes) => (byte[])[.. bytes, 0]).SetArgDisplayNames("a byte longer");
        yield return new TestCaseData((byte[] bytes) => Flip(bytes, 0)).SetArgDisplayNames("another magic number");
        yield return new TestCaseData((byte[] bytes) => Flip(bytes, 12)).SetArgDisplayNames("another checksum");
        yield return new TestCaseData((byte[] bytes) => Flip(bytes, bytes.Length - 1)).SetArgDisplayNames("another content");
        yield return new TestCaseData((byte[] bytes) => Encoding.ASCII.GetBytes("no entry at all, but a text of some other program's")).SetArgDisplayNames("some text");
    }

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("everheap-cache").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void A_program_that_ran_before_is_neither_validated_nor_compiled_again()
    {
        CodeCache first = Run();
        CodeCache second = Run();

        Assert.Multiple(() =>
        {
            Assert.That((first.EntriesRead, first.EntriesWritten), Is.EqualTo((0, 3)));
            Assert.That((second.EntriesRead, second.EntriesWritten), Is.EqualTo((3, 0)), "that the module is valid, its one chunk, and its sites");
        });
    }

    [TestCaseSource(nameof(Damages))]
    public void A_damaged_entry_is_made_anew(Func<byte[], byte[]> damage)
    {
        Run();
        foreach (string entry in Entries())
        {
            File.WriteAllBytes(entry, damage(File.ReadAllBytes(entry)));
        }

        CodeCache repaired = Run();
        CodeCache after = Run();

        Assert.Multiple(() =>
        {
            Assert.That((repaired.EntriesRead, repaired.EntriesWritten), Is.EqualTo((0, 3)));
            Assert.That((after.EntriesRead, after.EntriesWritten), Is.EqualTo((3, 0)));
        });
    }

    [TestCase("valid", false, ExpectedResult = 1, TestName = "An_entry_in_the_place_of_another_is_not_taken_for_it(a chunk)")]
    [TestCase("valid", true, ExpectedResult = 2, TestName = "An_entry_in_the_place_of_another_is_not_taken_for_it(sites)")]
    public long An_entry_in_the_place_of_another_is_not_taken_for_it(string source, bool areSites)
    {
        Run();
        string[] entries = Entries();
        string taken = entries.Single(entry => Path.GetFileName(entry) != source && entry.EndsWith("-sites", StringComparison.Ordinal) == areSites);
        File.Copy(entries.Single(entry => Path.GetFileName(entry) == source), taken, overwrite: true);

        return Run().EntriesRead;
    }

    [Test]
    public void An_entry_of_another_module_is_not_taken()
    {
        Module.Decode(Numbered(1), new CodeCache(CachePath));
        string own = Entries().Single();
        Module.Decode(Numbered(2), new CodeCache(CachePath));
        File.Copy(Entries().Single(entry => entry != own), own, overwrite: true);
        var cache = new CodeCache(CachePath);

        Module.Decode(Numbered(1), cache);

        Assert.That((cache.EntriesRead, cache.EntriesWritten), Is.EqualTo((0, 1)));
    }

    [TestCase(UnixFileMode.OtherWrite | UnixFileMode.OtherExecute)]
    [TestCase(UnixFileMode.GroupRead)]
    public void A_folder_that_others_can_enter_is_not_used(UnixFileMode added)
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Ignore("a user's folders are the user's own on Windows");
            return;
        }

        Run();
        string root = Directory.GetParent(Entries()[0])!.Parent!.FullName;
        File.SetUnixFileMode(root, File.GetUnixFileMode(root) | added);

        CodeCache cache = Run();

        Assert.That((cache.EntriesRead, cache.EntriesWritten), Is.EqualTo((0, 0)));
    }

    [Test]
    public void The_folders_that_are_made_are_the_users_alone()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Ignore("a user's folders are the user's own on Windows");
            return;
        }

        Run();

        DirectoryInfo module = Directory.GetParent(Entries()[0])!;
        const UnixFileMode Expected = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        Assert.That((module.UnixFileMode, module.Parent!.UnixFileMode), Is.EqualTo((Expected, Expected)));
    }

    [Test]
    public void Where_no_folder_can_be_made_a_program_runs_without()
    {
        File.WriteAllText(CachePath, "a file");

        CodeCache cache = Run();

        Assert.That((cache.EntriesRead, cache.EntriesWritten), Is.EqualTo((0, 0)));
    }

    [Test]
    public void Several_that_use_a_folder_at_once_do_not_disturb_each_other()
    {
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 4 }, _ => Run());

        Assert.Multiple(() =>
        {
            Assert.That(Run().EntriesRead, Is.EqualTo(3));
            Assert.That(Entries(), Has.Length.EqualTo(3), "nothing is left of what was being written");
        });
    }

    [Test]
    public void What_was_used_longest_ago_goes_when_there_is_too_much()
    {
        const int Limit = 16 << 10;
        for (int number = 0; number < 200; number++)
        {
            Module.Decode(Numbered(number), new CodeCache(CachePath, Limit));
        }

        long kept = Entries().Sum(entry => new FileInfo(entry).Length);
        var cache = new CodeCache(CachePath, Limit);
        Module.Decode(Numbered(199), cache);
        Assert.Multiple(() =>
        {
            Assert.That(kept, Is.InRange(1, Limit));
            Assert.That(cache.EntriesRead, Is.EqualTo(1), "the last one is still there");
        });
    }

    [Test]
    public void An_invalid_module_is_refused_as_often_as_it_is_loaded()
    {
        // A function that should return an i32, and does not.
        byte[] invalid = [0, 0x61, 0x73, 0x6D, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7F, 3, 2, 1, 0, 10, 4, 1, 2, 0, 0x0B];

        for (int time = 0; time < 2; time++)
        {
            Assert.That(() => Module.Decode(invalid, new CodeCache(CachePath)), Throws.TypeOf<WasmFormatException>());
        }
    }

    [Test]
    public void The_features_that_validation_saw_are_known_without_it()
    {
        // A function with i32.const 0, i8x16.splat, drop.
        byte[] module = [0, 0x61, 0x73, 0x6D, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 9, 1, 7, 0, 0x41, 0, 0xFD, 0x0F, 0x1A, 0x0B];
        IReadOnlyList<FeatureUse> seen = Module.Decode(module, new CodeCache(CachePath)).Features;
        var cache = new CodeCache(CachePath);
        IReadOnlyList<FeatureUse> known = Module.Decode(module, cache).Features;

        Assert.Multiple(() =>
        {
            Assert.That(cache.EntriesRead, Is.EqualTo(1));
            Assert.That(seen, Has.Count.EqualTo(1));
            Assert.That(known, Is.EqualTo(seen));
        });
    }

    private static byte[] Flip(byte[] bytes, int index)
    {
        bytes[index] ^= 1;
        return bytes;
    }

    // An empty module with a custom section that tells it from others.
    private static byte[] Numbered(int number) => [0, 0x61, 0x73, 0x6D, 1, 0, 0, 0, 0, 3, 1, (byte)'n', (byte)number];

    private string[] Entries() => [.. Directory.GetFiles(CachePath, "*", SearchOption.AllDirectories).Order()];

    // Runs the sample with a cache of its own over the one folder.
    private CodeCache Run()
    {
        var cache = new CodeCache(CachePath);
        using var output = new MemoryStream();
        string heap = Path.Combine(_folder, $"{Interlocked.Increment(ref _heaps)}.heap");
        using Process process = Process.Create(Module.Load(HelloPath, cache), heap, new ProcessOptions
        {
            StandardInput = Stream.Null,
            StandardOutput = output,
            StandardError = Stream.Null,
        });
        Assert.That(process.Run(), Is.EqualTo(new ProcessOutcome(ProcessState.Exited, 0, null)));
        Assert.That(Encoding.UTF8.GetString(output.ToArray()), Does.EndWith(LastLine));
        return cache;
    }
}
