using System.Collections.Concurrent;

namespace Everheap.Vm.Compilation;

/// <summary>
/// Has functions compiled before they are called, and large ones once more, one after the other in the background of all programs of the process. Large ones, which are being called
/// as they are, come first.
/// </summary>
internal static class Optimiser
{
    /// <summary>What waits at most before chunks are left to be compiled as they are called: a program that loads them faster does not stay in any.</summary>
    private const int WaitingMax = 8;

    private static readonly ConcurrentQueue<(WeakReference<ModuleCompiler> Compiler, int Function, CodeForm Form, int Site)> Large = new();
    private static readonly ConcurrentQueue<(WeakReference<ModuleCompiler> Compiler, int Chunk)> Chunks = new();
    private static int _isRunning;

    /// <summary>Whether all that was asked for is done.</summary>
    public static bool IsIdle => Large.IsEmpty && Chunks.IsEmpty && Volatile.Read(ref _isRunning) == 0;

    /// <summary>Asks for a function's optimised code. A module that nobody uses any more is passed over.</summary>
    public static void Add(ModuleCompiler compiler, int function, CodeForm form, int site)
    {
        Large.Enqueue((new WeakReference<ModuleCompiler>(compiler), function, form, site));
        Start();
    }

    /// <summary>Asks for the machine code of a chunk's functions, where there is a processor to make it beside the program.</summary>
    public static void AddChunk(ModuleCompiler compiler, int chunk)
    {
        if (Environment.ProcessorCount > 1 && Chunks.Count < WaitingMax)
        {
            Chunks.Enqueue((new WeakReference<ModuleCompiler>(compiler), chunk));
            Start();
        }
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
        OptimiseLarge();
        while (Chunks.TryDequeue(out (WeakReference<ModuleCompiler> Compiler, int Chunk) next))
        {
            // By functions, and no longer than anyone uses the module.
            for (int number = 0; next.Compiler.TryGetTarget(out ModuleCompiler? compiler) && Try(() => compiler.PrepareInChunk(next.Chunk, number)); number++)
            {
                OptimiseLarge();
            }
        }

        Volatile.Write(ref _isRunning, 0);
        if (!Large.IsEmpty || !Chunks.IsEmpty)
        {
            Start();
        }
    }

    private static void OptimiseLarge()
    {
        while (Large.TryDequeue(out (WeakReference<ModuleCompiler> Compiler, int Function, CodeForm Form, int Site) next))
        {
            if (next.Compiler.TryGetTarget(out ModuleCompiler? compiler))
            {
                Try(() =>
                {
                    compiler.Optimise(next.Function, next.Form, next.Site);
                    return true;
                });
            }
        }
    }

    private static bool Try(Func<bool> work)
    {
        try
        {
            return work();
        }
        catch (OutOfMemoryException)
        {
            // The JIT takes much memory for a large function. Where there is none, the function keeps the code that it has.
            return false;
        }
    }
}
