using System.Collections.Frozen;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Wasi;

/// <content>The table of functions: names and types as in the specification's wasi_snapshot_preview1.witx.</content>
internal sealed partial class WasiHost
{
    /// <summary>What a function does. Throws <see cref="WasiException"/> or <see cref="GuestMemoryException"/> to fail.</summary>
    private delegate Answer Handler(GuestMemory memory, ReadOnlySpan<ulong> arguments);

    private const string ExitName = "proc_exit";

    // Parameters: i is i32 (numbers, pointers, lengths), I is i64.
    private static readonly (string Name, string Parameters, Func<WasiHost, Handler> Handler)[] Functions =
    [
        ("args_get", "ii", static host => host.ArgsGet),
        ("args_sizes_get", "ii", static host => host.ArgsSizesGet),
        ("environ_get", "ii", static host => host.EnvironGet),
        ("environ_sizes_get", "ii", static host => host.EnvironSizesGet),
        ("clock_res_get", "ii", static _ => ClockResGet),
        ("clock_time_get", "iIi", static host => host.ClockTimeGet),
        ("fd_advise", "iIIi", static host => host.FdAdvise),
        ("fd_allocate", "iII", static host => host.FdAllocate),
        ("fd_close", "i", static host => host.FdClose),
        ("fd_datasync", "i", static host => host.FdSync),
        ("fd_fdstat_get", "ii", static host => host.FdFdstatGet),
        ("fd_fdstat_set_flags", "ii", static host => host.FdFdstatSetFlags),
        ("fd_fdstat_set_rights", "iII", static host => host.FdFdstatSetRights),
        ("fd_filestat_get", "ii", static host => host.FdFilestatGet),
        ("fd_filestat_set_size", "iI", static host => host.FdFilestatSetSize),
        ("fd_filestat_set_times", "iIIi", static host => host.FdFilestatSetTimes),
        ("fd_pread", "iiiIi", static host => host.FdPread),
        ("fd_prestat_get", "ii", static host => host.FdPrestatGet),
        ("fd_prestat_dir_name", "iii", static host => host.FdPrestatDirName),
        ("fd_pwrite", "iiiIi", static host => host.FdPwrite),
        ("fd_read", "iiii", static host => host.FdRead),
        ("fd_readdir", "iiiIi", static host => host.FdReaddir),
        ("fd_renumber", "ii", static host => host.FdRenumber),
        ("fd_seek", "iIii", static host => host.FdSeek),
        ("fd_sync", "i", static host => host.FdSync),
        ("fd_tell", "ii", static host => host.FdTell),
        ("fd_write", "iiii", static host => host.FdWrite),
        ("path_create_directory", "iii", static host => host.PathCreateDirectory),
        ("path_filestat_get", "iiiii", static host => host.PathFilestatGet),
        ("path_filestat_set_times", "iiiiIIi", static host => host.PathFilestatSetTimes),
        ("path_link", "iiiiiii", static host => host.PathLink),
        ("path_open", "iiiiiIIii", static host => host.PathOpen),
        ("path_readlink", "iiiiii", static host => host.PathReadlink),
        ("path_remove_directory", "iii", static host => host.PathRemoveDirectory),
        ("path_rename", "iiiiii", static host => host.PathRename),
        ("path_symlink", "iiiii", static host => host.PathSymlink),
        ("path_unlink_file", "iii", static host => host.PathUnlinkFile),
        ("poll_oneoff", "iiii", static host => host.PollOneoff),
        ("proc_raise", "i", static _ => ProcRaise),
        ("random_get", "ii", static _ => RandomGet),
        ("sched_yield", "", static _ => SchedYield),
        ("sock_accept", "iii", static host => host.SockAny),
        ("sock_recv", "iiiiii", static host => host.SockAny),
        ("sock_send", "iiiii", static host => host.SockAny),
        ("sock_shutdown", "ii", static host => host.SockAny),
    ];

    /// <summary>The functions' types, by name.</summary>
    public static FrozenDictionary<string, FunctionType> Signatures { get; } = Functions
        .Select(static function => KeyValuePair.Create(function.Name, TypeOf(function.Parameters)))
        .Append(KeyValuePair.Create(ExitName, new FunctionType([ValType.I32], [])))
        .ToFrozenDictionary();

    private FrozenDictionary<string, WasiFunction> BindFunctions()
    {
        var functions = Functions.Select(function => Bind(function.Name, function.Handler(this))).ToList();
        functions.Add(new WasiFunction(ExitName, Signatures[ExitName], ProcExit));
        return functions.ToFrozenDictionary(static function => function.Name);
    }

    private static FunctionType TypeOf(string parameters) =>
        new(Array.ConvertAll(parameters.ToCharArray(), static letter => letter == 'I' ? ValType.I64 : ValType.I32), [ValType.I32]);

    private static WasiFunction Bind(string name, Handler handler) => new(name, Signatures[name], (memory, arguments, results) =>
    {
        Answer answer;
        try
        {
            answer = handler(memory, arguments);
        }
        catch (WasiException error)
        {
            answer = error.Errno;
        }
        catch (GuestMemoryException)
        {
            answer = Errno.Fault;
        }

        if (answer.Outcome == HostOutcome.Completed)
        {
            results[0] = (ulong)answer.Errno;
        }

        return answer.Outcome;
    });

    /// <summary>How a function ended.</summary>
    /// <param name="Outcome">Whether it is done.</param>
    /// <param name="Errno">If it is: its result.</param>
    private readonly record struct Answer(HostOutcome Outcome, Errno Errno)
    {
        public static implicit operator Answer(Errno errno) => new(HostOutcome.Completed, errno);

        public static Answer Retry => new(HostOutcome.Retry, Errno.Success);

        public static Answer Trap => new(HostOutcome.Trap, Errno.Success);
    }
}
