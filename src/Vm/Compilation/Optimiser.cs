using System.Collections.Concurrent;

namespace Everheap.Vm.Compilation;

/// <summary>Has functions compiled before they are called, and large ones once more, one after the other in the background of all programs of the process.</summary>
internal static class Optimiser
{
    /// <summary>What waits at most before chunks are left to be compiled as they are called: a program that loads them faster does not stay in any.</summary>
    private const int WaitingMax = 8;

    private static readonly ConcurrentQueue<(WeakReference<ModuleCompiler> Compiler, Action<ModuleCompiler> Work)> Waiting = new();
    private static int _isRunning;

    /// <summary>Whether all that was asked for is done.</summary>
    public static bool IsIdle => Waiting.IsEmpty && Volatile.Read(ref _isRunning) == 0;

    /// <summary>Asks for a function's optimised code. A module that nobody uses any more is passed over.</summary>
    public static void Add(ModuleCompiler compiler, int function, CodeForm form, int site) => Add(compiler, found => found.Optimise(function, form, site));

    /// <summary>Asks for the machine code of a chunk's functions, where there is a processor to make it beside the program.</summary>
    public static void AddChunk(ModuleCompiler compiler, int chunk)
    {
        if (Environment.ProcessorCount > 1 && Waiting.Count < WaitingMax)
        {
            Add(compiler, found => found.PrepareChunk(chunk));
        }
    }

    private static void Add(ModuleCompiler compiler, Action<ModuleCompiler> work)
    {
        Waiting.Enqueue((new WeakReference<ModuleCompiler>(compiler), work));
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
        while (Waiting.TryDequeue(out (WeakReference<ModuleCompiler> Compiler, Action<ModuleCompiler> Work) next))
        {
            if (!next.Compiler.TryGetTarget(out ModuleCompiler? compiler))
            {
                continue;
            }

            try
            {
                next.Work(compiler);
            }
            catch (OutOfMemoryException)
            {
                // The JIT takes much memory for a large function. Where there is none, the function keeps the code that it has.
            }
        }

        Volatile.Write(ref _isRunning, 0);
        if (!Waiting.IsEmpty)
        {
            Start();
        }
    }
}
