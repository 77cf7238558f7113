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

    public static int Run(string modulePath, IReadOnlyList<string> arguments)
    {
        int exitCode = 0;
        var thread = new Thread(() => exitCode = RunOnThisThread(modulePath, arguments), ThreadStackBytes);
        thread.Start();
        thread.Join();
        return exitCode;
    }

    private static int RunOnThisThread(string modulePath, IReadOnlyList<string> arguments)
    {
        using var engine = new Wasmtime.Engine(CreateConfig());
        using Wasmtime.Module module = Wasmtime.Module.FromFile(engine, modulePath);
        using var linker = new Linker(engine);
        using var store = new Store(engine);
        linker.DefineWasi();
        store.SetWasiConfiguration(new WasiConfiguration()
            .WithArgs([Path.GetFileName(modulePath), .. arguments])
            .WithInheritedStandardOutput()
            .WithInheritedStandardError());

        Instance instance = linker.Instantiate(store, module);
        Action start = instance.GetAction("_start") ?? throw new InvalidOperationException($"{modulePath} exports no _start");
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

    // The package has no call for the engine's own limit, and without it refuses a larger guest stack.
    private static Config CreateConfig()
    {
        var config = new Config();
        PropertyInfo handle = typeof(Config).GetProperty("NativeHandle", BindingFlags.NonPublic | BindingFlags.Instance)
            ?? throw new MissingMemberException("Wasmtime.Config.NativeHandle");
        SetEngineStackBytes(((SafeHandle)handle.GetValue(config)!).DangerousGetHandle(), EngineStackBytes);
        return config.WithMaximumStackSize(GuestStackBytes);
    }

    [LibraryImport("wasmtime", EntryPoint = "wasmtime_config_async_stack_size_set")]
    private static partial void SetEngineStackBytes(nint config, nuint bytes);
}
