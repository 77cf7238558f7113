using System.Text;
using Everheap.Vm.Wasi;

namespace Everheap.Vm.Tests.Wasi;

internal sealed class ProcessFunctionTests
{
    private const string AllFunctions =
        "args_get args_sizes_get clock_res_get clock_time_get environ_get environ_sizes_get fd_advise fd_allocate fd_close fd_datasync fd_fdstat_get "
        + "fd_fdstat_set_flags fd_fdstat_set_rights fd_filestat_get fd_filestat_set_size fd_filestat_set_times fd_pread fd_prestat_dir_name "
        + "fd_prestat_get fd_pwrite fd_read fd_readdir fd_renumber fd_seek fd_sync fd_tell fd_write path_create_directory path_filestat_get "
        + "path_filestat_set_times path_link path_open path_readlink path_remove_directory path_rename path_symlink path_unlink_file poll_oneoff "
        + "proc_exit proc_raise random_get sched_yield sock_accept sock_recv sock_send sock_shutdown";

    private WasiBed _bed = null!;

    [SetUp]
    public void Start() => _bed = new WasiBed
    {
        Options = new WasiOptions
        {
            ProgramName = "prog",
            Arguments = ["-x", "höchst"],
            Environment = [new("HOME", "/"), new("EMPTY", "")],
        },
    }.Start();

    [TearDown]
    public void End() => _bed.Dispose();

    [Test]
    public void Every_function_of_preview_1_is_there()
    {
        string[] names = AllFunctions.Split(' ');
        Assert.That(names, Has.Length.EqualTo(46));
        foreach (string name in names)
        {
            Assert.That(_bed.Host.Find(name), Is.Not.Null, name);
        }

        Assert.That(_bed.Host.Find("fd_nonsense"), Is.Null);
    }

    [Test]
    public void No_function_answers_that_it_is_not_implemented_whatever_it_is_given()
    {
        foreach (string name in AllFunctions.Split(' '))
        {
            if (name != "proc_exit")
            {
                int count = _bed.Host.Find(name)!.Type.Parameters.Length;
                foreach (ulong value in (ulong[])[0, 1, 3, 4, uint.MaxValue])
                {
                    ulong[] arguments = [.. Enumerable.Repeat(value, count)];
                    if (name == "poll_oneoff" && value > 0)
                    {
                        continue;
                    }

                    _bed.TryCall(name, out var errno, arguments);
                    Assert.That(errno, Is.Not.EqualTo(Errno.NotImplemented), name);
                }
            }
        }
    }

    [Test]
    public void Arguments_and_environment_are_given_with_their_sizes_and_survive_a_kill([Values] bool killed)
    {
        if (killed)
        {
            _bed.KillAndResume();
        }

        Assert.That(Strings("args"), Is.EqualTo(new[] { "prog", "-x", "höchst" }));
        Assert.That(Strings("environ"), Is.EqualTo(new[] { "HOME=/", "EMPTY=" }));
    }

    [Test]
    public void Addresses_outside_memory_are_a_fault()
    {
        ulong end = _bed.Memory.Length;
        Assert.That(_bed.Call("args_sizes_get", end - 2, 0), Is.EqualTo(Errno.Fault));
        Assert.That(_bed.Call("args_get", 0, end - 2), Is.EqualTo(Errno.Fault));
        Assert.That(_bed.Call("clock_time_get", 0, 0, end), Is.EqualTo(Errno.Fault));
        Assert.That(_bed.Call("random_get", end - 10, 11), Is.EqualTo(Errno.Fault));
        Assert.That(_bed.Call("random_get", uint.MaxValue, uint.MaxValue), Is.EqualTo(Errno.Fault));
        Assert.That(_bed.Call("fd_write", 1, end, 1, 0), Is.EqualTo(Errno.Fault));
        Assert.That(_bed.Call("fd_write", 1, _bed.PutVector(end - 1, 2), 1, 0), Is.EqualTo(Errno.Fault));
    }

    [Test]
    public void Clocks_go_on_where_they_stood_and_never_go_back_over_a_resume()
    {
        _bed.Time.Advance(TimeSpan.FromSeconds(5));
        ulong monotonic = Clock(ClockId.Monotonic);
        ulong realtime = Clock(ClockId.Realtime);
        ulong cpu = Clock(ClockId.ProcessCpuTime);
        Assert.That(monotonic, Is.EqualTo(5_000_000_000UL));
        Assert.That(realtime, Is.EqualTo((ulong)(_bed.Time.Utc - DateTimeOffset.UnixEpoch).Ticks * 100));
        _bed.Checkpoint();
        _bed.Kill();
        _bed.Time.Advance(TimeSpan.FromHours(1));
        _bed.Time.Utc -= TimeSpan.FromDays(1);
        _bed.Resume();
        Assert.That(Clock(ClockId.Monotonic), Is.EqualTo(monotonic));
        Assert.That(Clock(ClockId.Realtime), Is.EqualTo(realtime));
        Assert.That(Clock(ClockId.ProcessCpuTime), Is.GreaterThanOrEqualTo(cpu));
        _bed.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.That(Clock(ClockId.Monotonic), Is.EqualTo(monotonic + 1_000_000_000));
        ulong result = _bed.Scratch(8);
        Assert.That(_bed.Call("clock_time_get", 4, 0, result), Is.EqualTo(Errno.Invalid));
        Assert.That(_bed.Call("clock_res_get", 4, result), Is.EqualTo(Errno.Invalid));
        Assert.That(_bed.Call("clock_res_get", 1, result), Is.EqualTo(Errno.Success));
        Assert.That(_bed.GetU64(result), Is.InRange(1UL, 1_000_000UL));
    }

    [Test]
    public void Random_bytes_fill_exactly_what_was_asked_for()
    {
        const int Length = 200_000;
        ulong buffer = _bed.Scratch(Length + 16);
        Assert.That(_bed.Call("random_get", buffer + 8, Length), Is.EqualTo(Errno.Success));
        byte[] bytes = _bed.Get(buffer, Length + 16);
        Assert.That(bytes.Take(8).Concat(bytes.TakeLast(8)), Is.All.Zero);
        Assert.That(bytes.Skip(8).Take(Length).Distinct().Count(), Is.EqualTo(256));
        Assert.That(_bed.Call("random_get", buffer, 0), Is.EqualTo(Errno.Success));
    }

    [Test]
    public void Exit_gives_its_code_and_the_code_survives()
    {
        Assert.That(_bed.TryCall("proc_exit", out _, 42), Is.EqualTo(HostOutcome.Exit));
        Assert.That(_bed.Host.ExitCode, Is.EqualTo(42));
        _bed.Checkpoint();
        _bed.KillAndResume();
        Assert.That(_bed.Host.ExitCode, Is.EqualTo(42));
    }

    [Test]
    public void A_deadly_signal_is_a_trap_and_one_that_is_ignored_is_not()
    {
        Assert.That(_bed.TryCall("proc_raise", out _, 6), Is.EqualTo(HostOutcome.Trap));
        Assert.That(_bed.Call("proc_raise", 16), Is.EqualTo(Errno.Success));
        Assert.That(_bed.Call("proc_raise", 99), Is.EqualTo(Errno.Invalid));
        Assert.That(_bed.Call("sched_yield"), Is.EqualTo(Errno.Success));
    }

    [Test]
    public void Nothing_is_a_socket()
    {
        Assert.That(_bed.Call("sock_accept", 1, 0, 0), Is.EqualTo(Errno.NotSocket));
        Assert.That(_bed.Call("sock_recv", 0, 0, 0, 0, 0, 0), Is.EqualTo(Errno.NotSocket));
        Assert.That(_bed.Call("sock_send", 3, 0, 0, 0, 0), Is.EqualTo(Errno.NotSocket));
        Assert.That(_bed.Call("sock_shutdown", 99, 0), Is.EqualTo(Errno.BadDescriptor));
    }

    [Test]
    public void Too_large_an_environment_is_refused_by_name()
    {
        using var bed = new WasiBed { Options = new WasiOptions { Environment = [new("BIG", new string('x', 5 << 20))] } };
        Assert.That(bed.Start, Throws.ArgumentException.With.Message.Contains("environment"));
    }

    private string[] Strings(string what)
    {
        ulong sizes = _bed.Scratch(8);
        Assert.That(_bed.Call(what + "_sizes_get", sizes, sizes + 4), Is.EqualTo(Errno.Success));
        int count = (int)_bed.GetU32(sizes);
        int bytes = (int)_bed.GetU32(sizes + 4);
        ulong pointers = _bed.Scratch(count * 4);
        ulong buffer = _bed.Scratch(bytes);
        Assert.That(_bed.Call(what + "_get", pointers, buffer), Is.EqualTo(Errno.Success));
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            int start = (int)(_bed.GetU32(pointers + ((ulong)i * 4)) - buffer);
            byte[] all = _bed.Get(buffer, bytes);
            return Encoding.UTF8.GetString(all, start, Array.IndexOf(all, (byte)0, start) - start);
        })];
    }

    private ulong Clock(ClockId clock)
    {
        ulong result = _bed.Scratch(8);
        Assert.That(_bed.Call("clock_time_get", (ulong)clock, 1, result), Is.EqualTo(Errno.Success));
        return _bed.GetU64(result);
    }
}
