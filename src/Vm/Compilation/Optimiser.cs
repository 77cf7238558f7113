using System.Collections.Concurrent;

namespace Everheap.Vm.Compilation;

/// <summary>Has large functions compiled again, one after the other, in the background of all programs of the process.</summary>
internal static class Optimiser
{
    private static readonly ConcurrentQueue<(WeakReference<ModuleCompiler> Compiler, int Function, CodeForm Form, int Site)> Waiting = new();
    private static int _isRunning;

    /// <summary>Whether all that was asked for is done.</summary>
    public static bool IsIdle => Waiting.IsEmpty && Volatile.Read(ref _isRunning) == 0;

    /// <summary>Asks for a function's optimised code. A module that nobody uses any more is passed over.</summary>
    public static void Add(ModuleCompiler compiler, int function, CodeForm form, int site)
    {
        Waiting.Enqueue((new WeakReference<ModuleCompiler>(compiler), function, form, site));
        Start();
    }

    private static void Start()
    {
        if (Interlocked.Exchange(ref _isRunning, 1) == 0)
        {
            new Thread(Run) { IsBackground = true, Name = "Everheap optimiser", Priority = ThreadPriority.BelowNormal }.Start();
        }
    }

    private static void Run()
    {
        while (Waiting.TryDequeue(out (WeakReference<ModuleCompiler> Compiler, int Function, CodeForm Form, int Site) next))
        {
            if (next.Compiler.TryGetTarget(out ModuleCompiler? compiler))
            {
                compiler.Optimise(next.Function, next.Form, next.Site);
            }
        }

        Volatile.Write(ref _isRunning, 0);
        if (!Waiting.IsEmpty)
        {
            Start();
        }
    }
}
