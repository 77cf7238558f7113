using Everheap.Vm.Wasi;

namespace Everheap.Vm.Tests.Wasi;

/// <summary>
/// Whenever the process dies, also in the middle of writing files back, the files end as those of a run that nobody disturbed.
/// A program is a list of operations; a kill takes it back to the one at which its last durable checkpoint was made.
/// </summary>
internal sealed class WriteBackTests
{
    private const int Seeds = 30;
    private const int Operations = 120;
    private const int KillsMax = 40;

    [Test]
    public void Random_programs_killed_at_random_leave_the_files_of_an_undisturbed_run([Range(1, Seeds)] int seed)
    {
        var random = new Random(seed);
        var operations = Enumerable.Range(0, Operations).Select(_ => FileOperation.Random(random)).ToList();
        using var bed = new WasiBed();
        string host = Prepare(bed, out var model);
        var expected = operations.Select(model.Do).ToList();

        bed.Start();
        int position = 0;
        int committed = 0;
        int kills = 0;
        int stepsLeft = int.MaxValue;
        bed.BeforeHostStep = () =>
        {
            if (--stepsLeft == 0)
            {
                throw new SimulatedKillException();
            }
        };
        while (committed < operations.Count)
        {
            stepsLeft = kills < KillsMax ? random.Next(1, 20) : int.MaxValue;
            try
            {
                if (position < operations.Count && random.Next(5) != 0)
                {
                    Assert.That(Do(bed, operations[position]), Is.EqualTo(expected[position]), $"operation {position}: {operations[position]}");
                    position++;
                    continue;
                }

                long number = bed.CommitOnly();
                committed = position;
                KillAtRandom();
                bed.Host.Release(number);
                KillAtRandom();
            }
            catch (SimulatedKillException)
            {
                position = committed;
                Recover();
            }
        }

        for (bool isDone = false; !isDone;)
        {
            stepsLeft = kills < KillsMax ? random.Next(1, 20) : int.MaxValue;
            try
            {
                bed.Host.Finish();
                isDone = true;
            }
            catch (SimulatedKillException)
            {
                Recover();
            }
        }

        AssertSame(host, model);
        CompareInside(bed, model);

        void KillAtRandom()
        {
            if (kills < KillsMax && random.Next(4) == 0)
            {
                throw new SimulatedKillException();
            }
        }

        void Recover()
        {
            for (bool isUp = false; !isUp;)
            {
                kills++;
                bed.Kill();
                stepsLeft = kills < KillsMax ? random.Next(1, 20) : int.MaxValue;
                try
                {
                    bed.Resume();
                    isUp = true;
                }
                catch (SimulatedKillException)
                {
                    // Killed again while it made up for the kill before.
                }
            }
        }
    }

    [Test]
    public void A_kill_before_any_single_step_of_writing_back_is_made_up_for()
    {
        int steps = 0;
        for (int kill = 1; ; kill++)
        {
            using var bed = new WasiBed();
            string host = Prepare(bed, out var model);
            bed.Start();
            int step = 0;
            bool wasKilled = false;
            bed.BeforeHostStep = () =>
            {
                if (++step == kill)
                {
                    wasKilled = true;
                    throw new SimulatedKillException();
                }
            };
            foreach (var part in Parts())
            {
                foreach (var operation in part)
                {
                    Assert.That(Do(bed, operation), Is.EqualTo(model.Do(operation)), operation.ToString());
                }

                try
                {
                    bed.Checkpoint();
                }
                catch (SimulatedKillException)
                {
                    bed.KillAndResume();
                }
            }

            try
            {
                bed.Finish();
            }
            catch (SimulatedKillException)
            {
                bed.KillAndResume();
            }

            AssertSame(host, model);
            if (!wasKilled)
            {
                steps = step;
                break;
            }
        }

        Assert.That(steps, Is.GreaterThan(20));
    }

    private static IEnumerable<FileOperation[]> Parts()
    {
        // A packer: writes its output, removes its input.
        yield return
        [
            new(FileOperationKind.WriteWhole, "old.gz", "", 0, new string('z', 9000)),
            new(FileOperationKind.Unlink, "old", "", 0, ""),
        ];

        // A database: a journal comes and goes, pages are written in place, the file shrinks.
        yield return
        [
            new(FileOperationKind.WriteWhole, "db-journal", "", 0, new string('j', 5000)),
            new(FileOperationKind.WriteAt, "db", "", 4096, new string('p', 4096)),
            new(FileOperationKind.WriteAt, "db", "", 30_000, new string('q', 4096)),
        ];
        yield return
        [
            new(FileOperationKind.Unlink, "db-journal", "", 0, ""),
            new(FileOperationKind.SetLength, "db", "", 10_000, ""),
            new(FileOperationKind.SetLength, "db", "", 20_000, ""),
            new(FileOperationKind.Append, "log", "", 0, "a line\n"),
        ];

        // Directories that move, and come back as something else.
        yield return
        [
            new(FileOperationKind.Rename, "tree", "moved", 0, ""),
            new(FileOperationKind.WriteWhole, "tree", "", 0, "a file now"),
            new(FileOperationKind.Append, "log", "", 0, "another line\n"),
        ];
        yield return
        [
            new(FileOperationKind.Unlink, "moved/leaf", "", 0, ""),
            new(FileOperationKind.Rename, "moved/branch", "branch", 0, ""),
            new(FileOperationKind.RemoveDirectory, "moved", "", 0, ""),
            new(FileOperationKind.Unlink, "tree", "", 0, ""),
            new(FileOperationKind.MakeDirectory, "tree", "", 0, ""),
            new(FileOperationKind.WriteWhole, "tree/leaf", "", 0, "new"),
            new(FileOperationKind.Rename, "old.gz", "db", 0, ""),
        ];
    }

    /// <summary>Fills a host directory, and a model in the same way.</summary>
    private static string Prepare(WasiBed bed, out FileModel model)
    {
        string host = bed.MakeFolder("host");
        bed.Options = new WasiOptions { Directories = [new DirectoryMapping(host, "/data")] };
        model = new FileModel();
        FileOperation[] initial =
        [
            new(FileOperationKind.WriteWhole, "old", "", 0, new string('o', 12_345)),
            new(FileOperationKind.WriteWhole, "db", "", 0, new string('d', 40_000)),
            new(FileOperationKind.WriteWhole, "log", "", 0, "first\n"),
            new(FileOperationKind.WriteWhole, "a", "", 0, "host a"),
            new(FileOperationKind.MakeDirectory, "d", "", 0, ""),
            new(FileOperationKind.WriteWhole, "d/b", "", 0, new string('b', 9_999)),
            new(FileOperationKind.MakeDirectory, "d/e", "", 0, ""),
            new(FileOperationKind.MakeDirectory, "tree", "", 0, ""),
            new(FileOperationKind.WriteWhole, "tree/leaf", "", 0, "leaf"),
            new(FileOperationKind.MakeDirectory, "tree/branch", "", 0, ""),
            new(FileOperationKind.WriteWhole, "tree/branch/leaf", "", 0, "deep leaf"),
        ];
        foreach (var operation in initial)
        {
            Assert.That(model.Do(operation));
        }

        foreach (var (path, content) in model.Entries)
        {
            if (content is null)
            {
                Directory.CreateDirectory(Path.Combine(host, path));
            }
            else
            {
                File.WriteAllBytes(Path.Combine(host, path), content);
            }
        }

        return host;
    }

    private static bool Do(WasiBed bed, FileOperation operation)
    {
        switch (operation.Kind)
        {
            case FileOperationKind.WriteWhole:
                return InFile(OpenFlags.Create | OpenFlags.Truncate, FdFlags.None, descriptor => bed.Write(descriptor, operation.Text));
            case FileOperationKind.Append:
                return InFile(OpenFlags.Create, FdFlags.Append, descriptor => bed.Write(descriptor, operation.Text));
            case FileOperationKind.WriteAt:
                return InFile(OpenFlags.None, FdFlags.None, descriptor =>
                {
                    Assert.That(bed.Call("fd_seek", descriptor, (ulong)operation.Number, 0, bed.Scratch(8)), Is.EqualTo(Errno.Success));
                    return bed.Write(descriptor, operation.Text);
                });
            case FileOperationKind.SetLength:
                return InFile(OpenFlags.None, FdFlags.None, descriptor => bed.Call("fd_filestat_set_size", descriptor, (ulong)operation.Number));
            case FileOperationKind.Unlink:
                return bed.OnPath("path_unlink_file", operation.Path) == Errno.Success;
            case FileOperationKind.MakeDirectory:
                return bed.OnPath("path_create_directory", operation.Path) == Errno.Success;
            case FileOperationKind.RemoveDirectory:
                return bed.OnPath("path_remove_directory", operation.Path) == Errno.Success;
            default:
                return bed.Rename(operation.Path, operation.OtherPath) == Errno.Success;
        }

        bool InFile(OpenFlags flags, FdFlags fdFlags, Func<uint, Errno> action)
        {
            if (bed.TryOpen(operation.Path, out uint descriptor, flags, fdFlags: fdFlags) != Errno.Success)
            {
                return false;
            }

            Assert.That(action(descriptor), Is.EqualTo(Errno.Success));
            bed.Close(descriptor);
            return true;
        }
    }

    private static void AssertSame(string host, FileModel model)
    {
        var paths = Directory.EnumerateFileSystemEntries(host, "*", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(host, path).Replace('\\', '/')).Order(StringComparer.Ordinal);
        Assert.That(paths, Is.EqualTo(model.Entries.Keys));
        foreach (var (path, content) in model.Entries)
        {
            if (content is null)
            {
                Assert.That(Directory.Exists(Path.Combine(host, path)), path);
            }
            else
            {
                Assert.That(File.ReadAllBytes(Path.Combine(host, path)).AsSpan().SequenceEqual(content), path);
            }
        }
    }

    /// <summary>The program itself sees the same.</summary>
    private static void CompareInside(WasiBed bed, FileModel model)
    {
        foreach (var (path, content) in model.Entries)
        {
            if (content is not null)
            {
                Assert.That(bed.ReadFile(path) == System.Text.Encoding.UTF8.GetString(content), path);
            }
            else
            {
                var below = model.Entries.Keys.Where(key => key.StartsWith(path + "/", StringComparison.Ordinal) && !key[(path.Length + 1)..].Contains('/')).Select(key => key[(path.Length + 1)..]);
                Assert.That(bed.List(path), Is.EqualTo(below));
            }
        }
    }
}
