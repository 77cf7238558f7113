using System.Collections.Frozen;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Wasi;

/// <content>The table of functions: names and types as in the specification's wasi_snapshot_preview1.witx.</content>
internal sealed partial class WasiHost
{
    /// <summary>What a function does. Throws <see cref="WasiException"/> or <see cref="GuestMemoryException"/> to fail.</summary>
    private delegate Answer Handler(GuestMemory memory, ReadOnlySpan<ulong> arguments);

    private FrozenDictionary<string, WasiFunction> BindFunctions()
    {
        var functions = new List<WasiFunction>();

        // Parameters: i is i32 (numbers, pointers, lengths), I is i64.
        void Add(string name, string parameters, Handler handler) => functions.Add(Bind(name, parameters, handler));

        Add("args_get", "ii", ArgsGet);
        Add("args_sizes_get", "ii", ArgsSizesGet);
        Add("environ_get", "ii", EnvironGet);
        Add("environ_sizes_get", "ii", EnvironSizesGet);
        Add("clock_res_get", "ii", ClockResGet);
        Add("clock_time_get", "iIi", ClockTimeGet);
        Add("fd_advise", "iIIi", FdAdvise);
        Add("fd_allocate", "iII", FdAllocate);
        Add("fd_close", "i", FdClose);
        Add("fd_datasync", "i", FdSync);
        Add("fd_fdstat_get", "ii", FdFdstatGet);
        Add("fd_fdstat_set_flags", "ii", FdFdstatSetFlags);
        Add("fd_fdstat_set_rights", "iII", FdFdstatSetRights);
        Add("fd_filestat_get", "ii", FdFilestatGet);
        Add("fd_filestat_set_size", "iI", FdFilestatSetSize);
        Add("fd_filestat_set_times", "iIIi", FdFilestatSetTimes);
        Add("fd_pread", "iiiIi", FdPread);
        Add("fd_prestat_get", "ii", FdPrestatGet);
        Add("fd_prestat_dir_name", "iii", FdPrestatDirName);
        Add("fd_pwrite", "iiiIi", FdPwrite);
        Add("fd_read", "iiii", FdRead);
        Add("fd_readdir", "iiiIi", FdReaddir);
        Add("fd_renumber", "ii", FdRenumber);
        Add("fd_seek", "iIii", FdSeek);
        Add("fd_sync", "i", FdSync);
        Add("fd_tell", "ii", FdTell);
        Add("fd_write", "iiii", FdWrite);
        Add("path_create_directory", "iii", PathCreateDirectory);
        Add("path_filestat_get", "iiiii", PathFilestatGet);
        Add("path_filestat_set_times", "iiiiIIi", PathFilestatSetTimes);
        Add("path_link", "iiiiiii", PathLink);
        Add("path_open", "iiiiiIIii", PathOpen);
        Add("path_readlink", "iiiiii", PathReadlink);
        Add("path_remove_directory", "iii", PathRemoveDirectory);
        Add("path_rename", "iiiiii", PathRename);
        Add("path_symlink", "iiiii", PathSymlink);
        Add("path_unlink_file", "iii", PathUnlinkFile);
        Add("poll_oneoff", "iiii", PollOneoff);
        Add("proc_raise", "i", ProcRaise);
        Add("random_get", "ii", RandomGet);
        Add("sched_yield", "", SchedYield);
        Add("sock_accept", "iii", SockAny);
        Add("sock_recv", "iiiiii", SockAny);
        Add("sock_send", "iiiii", SockAny);
        Add("sock_shutdown", "ii", SockAny);
        functions.Add(new WasiFunction("proc_exit", new FunctionType([ValType.I32], []), ProcExit));
        return functions.ToFrozenDictionary(static function => function.Name);
    }

    private static WasiFunction Bind(string name, string parameters, Handler handler)
    {
        var types = Array.ConvertAll(parameters.ToCharArray(), static letter => letter == 'I' ? ValType.I64 : ValType.I32);
        return new WasiFunction(name, new FunctionType(types, [ValType.I32]), (memory, arguments, results) =>
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
    }

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
