using System.Reflection;
using System.Runtime.InteropServices;
using Wasmtime;

namespace Everheap.Vm.Benchmarks.Children;

/// <summary>Runs one program under the Wasmtime package, with its native compiler at its default settings but for the size of the stack.</summary>
internal static partial class WasmtimeChild
{
    // Deep recursion needs native stack here: Wasmtime's default is 512 KiB. The order must hold: guest < engine's limit < thread.
    private const int GuestStackBytes = 768 << 20;
    private const int EngineStackBytes = 800 << 20;
    private const int ThreadStackBytes = 1 << 30;

    public static int Run(ChildCommand command)
    {
        int exitCode = 0;
        var thread = new Thread(() => exitCode = RunOnThisThread(command), ThreadStackBytes);
        thread.Start();
        thread.Join();
        return exitCode;
    }

    private static int RunOnThisThread(ChildCommand command)
    {
        using Config config = CreateConfig(command);
        using var engine = new Wasmtime.Engine(config);
        using Wasmtime.Module module = Wasmtime.Module.FromFile(engine, command.ModulePath);
        using var linker = new Linker(engine);
        linker.DefineWasi();
        if (command.Instances > 0)
        {
            return MakeInstances(engine, linker, module, command.Instances);
        }

        using var store = new Store(engine);
        WasiConfiguration wasi = new WasiConfiguration()
            .WithArgs([Path.GetFileName(command.ModulePath), .. command.Arguments])
            .WithInheritedStandardInput()
            .WithInheritedStandardOutput()
            .WithInheritedStandardError();
        foreach (DirectoryMapping directory in command.Directories)
        {
            wasi = wasi.WithPreopenedDirectory(directory.HostPath, directory.GuestPath, true);
        }

        store.SetWasiConfiguration(wasi);
        Instance instance = linker.Instantiate(store, module);
        Action start = instance.GetAction("_start") ?? throw new InvalidOperationException($"{command.ModulePath} exports no _start");
        using var report = new ChildReport();
        try
        {
            start();
            return 0;
        }
        catch (WasmtimeException exception)
        {
            if (exception.ExitCode is int code)
            {
                return code;
            }

            Console.Error.WriteLine(exception.Message);
            return 1;
        }
    }

    private static int MakeInstances(Wasmtime.Engine engine, Linker linker, Wasmtime.Module module, int count)
    {
        var stores = new List<Store>();
        try
        {
            for (int index = 0; index < count; index++)
            {
                var store = new Store(engine);
                stores.Add(store);
                store.SetWasiConfiguration(new WasiConfiguration());
                linker.Instantiate(store, module);
            }

            ChildReport.WriteInstances();
            return 0;
        }
        finally
        {
            stores.ForEach(store => store.Dispose());
        }
    }

    private static Config CreateConfig(ChildCommand command)
    {
        var config = new Config();
        if (command.CachePath is { } folder)
        {
            string file = Path.Combine(folder, "wasmtime.toml");
            File.WriteAllText(file, $"[cache]\ndirectory = '{Path.GetFullPath(folder)}'\n");
            config = config.WithCacheConfig(file);
        }

        // The package has no call for the engine's own limit, and without it refuses a larger guest stack.
        PropertyInfo handle = typeof(Config).GetProperty("NativeHandle", BindingFlags.NonPublic | BindingFlags.Instance)
            ?? throw new MissingMemberException("Wasmtime.Config.NativeHandle");
        SetEngineStackBytes(((SafeHandle)handle.GetValue(config)!).DangerousGetHandle(), EngineStackBytes);
        return config.WithMaximumStackSize(GuestStackBytes);
    }

    [LibraryImport("wasmtime", EntryPoint = "wasmtime_config_async_stack_size_set")]
    private static partial void SetEngineStackBytes(nint config, nuint bytes);
}
