using System.Collections.Concurrent;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>
/// Makes code beside the programs of the process, one thing after the other, in this order: emits chunks of which functions will soon be called; optimises functions that are large or hot, first those that
/// were called most for each byte of code, as that is what the JIT's time buys (Smith's rule: of jobs that wait, those of the highest worth for their length go first); and has the JIT make the machine code of
/// functions before they are called, first of those that are called by what was called last.
/// </summary>
internal static class Optimiser
{
    /// <summary>Callers that wait at most; those that are called meanwhile are left out.</summary>
    private const int CallersMax = 1024;

    /// <summary>What waits at most before chunks are left to be compiled as they are called: a program that loads them faster does not stay in any.</summary>
    private const int WaitingMax = 8;

    /// <summary>What compiling any function takes at least, as bytes of a body that take as long.</summary>
    private const int BytesOfAny = 100;

    /// <summary>How long the thread waits for more before it ends.</summary>
    private static readonly TimeSpan StaysFor = TimeSpan.FromSeconds(1);

    private static readonly ConcurrentQueue<PartOf> Emissions = new();
    private static readonly ConcurrentQueue<PartOf> Chunks = new();
    private static readonly Lock Gate = new();
    private static readonly List<FunctionOf> Functions = [];
    private static readonly Stack<PartOf> Callers = [];
    private static readonly Stack<PartOf> Callees = [];
    private static readonly AutoResetEvent Asked = new(false);
    private static int _isRunning;
    private static bool _isWorking;

    /// <summary>Whether all that was asked for is done.</summary>
    public static bool IsIdle => !HasWork && !Volatile.Read(ref _isWorking);

    // What may not be needed is made only where it takes nothing from the program.
    private static bool HasSecondProcessor => Environment.ProcessorCount > 1;

    private static bool HasWork
    {
        get
        {
            lock (Gate)
            {
                return Functions.Count > 0 || Callers.Count > 0 || Callees.Count > 0 || !Emissions.IsEmpty || !Chunks.IsEmpty;
            }
        }
    }

    /// <summary>Asks for a function's optimised code. A module that nobody uses any more is passed over.</summary>
    public static void Add(ModuleCompiler compiler, int function, CodeForm form, int site)
    {
        lock (Gate)
        {
            // What counts for a continuation is how long its loop still goes round in code of the first kind.
            int heatBefore = form == CodeForm.Continuation ? Math.Max(compiler.Tiering.HeatOf(function), 0) : 0;
            Functions.Add(new FunctionOf(new WeakReference<ModuleCompiler>(compiler), function, form, site, heatBefore));
        }

        Start();
    }

    /// <summary>Asks for a chunk to be emitted, where there is a processor to do so beside the program.</summary>
    public static void AddEmission(ModuleCompiler compiler, int chunk)
    {
        if (HasSecondProcessor)
        {
            Emissions.Enqueue(new PartOf(new WeakReference<ModuleCompiler>(compiler), chunk));
            Start();
        }
    }

    /// <summary>Asks for the machine code of the functions that a function calls, which has been called for the first time; where there is a processor to make it beside the program.</summary>
    public static void AddCaller(ModuleCompiler compiler, int function)
    {
        if (!HasSecondProcessor)
        {
            return;
        }

        lock (Gate)
        {
            if (Callers.Count < CallersMax)
            {
                Callers.Push(new PartOf(new WeakReference<ModuleCompiler>(compiler), function));
            }
        }

        Start();
    }

    /// <summary>Asks for the machine code of a chunk's functions, where there is a processor to make it beside the program.</summary>
    public static void AddChunk(ModuleCompiler compiler, int chunk)
    {
        if (HasSecondProcessor && Chunks.Count < WaitingMax)
        {
            Chunks.Enqueue(new PartOf(new WeakReference<ModuleCompiler>(compiler), chunk));
            Start();
        }
    }

    private static void Start()
    {
        Asked.Set();
        if (Interlocked.Exchange(ref _isRunning, 1) == 0)
        {
            new Thread(Run) { IsBackground = true, Name = "Everheap optimiser", Priority = ThreadPriority.BelowNormal }.Start();
        }
    }

    private static void Run()
    {
        do
        {
            Volatile.Write(ref _isWorking, true);
            Work();
            Volatile.Write(ref _isWorking, false);
        }
        while (Asked.WaitOne(StaysFor));

        Volatile.Write(ref _isRunning, 0);
        if (HasWork)
        {
            Start();
        }
    }

    private static void Work()
    {
        DoWhatIsUrgent();
        while (Chunks.TryDequeue(out PartOf next))
        {
            // By functions, and no longer than anyone uses the module.
            for (int number = 0; next.Compiler.TryGetTarget(out ModuleCompiler? compiler) && Try(() => compiler.PrepareInChunk(next.Number, number)); number++)
            {
                DoWhatIsUrgent();
            }
        }
    }

    private static void DoWhatIsUrgent()
    {
        while (true)
        {
            if (Emissions.TryDequeue(out PartOf emission))
            {
                if (emission.Compiler.TryGetTarget(out ModuleCompiler? compiler))
                {
                    Try(() => compiler.EmitAhead(emission.Number));
                }
            }
            else if (TryTakeWorthiest() is FunctionOf next)
            {
                if (next.Compiler.TryGetTarget(out ModuleCompiler? compiler))
                {
                    Try(() => compiler.Optimise(next.Function, next.Form, next.Site));
                }
            }
            else if (TryTakeCallee() is PartOf callee)
            {
                if (callee.Compiler.TryGetTarget(out ModuleCompiler? compiler))
                {
                    Try(() => compiler.PrepareAhead(callee.Number));
                }
            }
            else
            {
                return;
            }
        }
    }

    private static FunctionOf? TryTakeWorthiest()
    {
        lock (Gate)
        {
            int found = -1;
            double worth = double.NegativeInfinity;
            for (int index = 0; index < Functions.Count; index++)
            {
                double next = Functions[index].Worth;
                if (next > worth)
                {
                    (found, worth) = (index, next);
                }
            }

            if (found < 0)
            {
                return null;
            }

            FunctionOf worthiest = Functions[found];
            Functions.RemoveAt(found);
            return worthiest;
        }
    }

    // Callees of what was called last come first, in the order of its calls.
    private static PartOf? TryTakeCallee()
    {
        while (true)
        {
            PartOf caller;
            lock (Gate)
            {
                if (!Callers.TryPop(out caller))
                {
                    return Callees.TryPop(out PartOf callee) ? callee : null;
                }
            }

            if (caller.Compiler.TryGetTarget(out ModuleCompiler? compiler))
            {
                int[] called = compiler.CalleesOf(caller.Number);
                lock (Gate)
                {
                    foreach (int function in called.Reverse())
                    {
                        Callees.Push(caller with { Number = function });
                    }
                }
            }
        }
    }

    private static void Try(Action work) => Try(() =>
    {
        work();
        return true;
    });

    private static bool Try(Func<bool> work)
    {
        try
        {
            return work();
        }
        catch (Exception exception) when (exception is OutOfMemoryException or WasmFormatException)
        {
            // The JIT takes much memory for a large function. Where there is none, the function keeps the code that it has. And of a function that cannot be compiled that is said when it is called.
            return false;
        }
    }

    // A chunk, or a function that is to be compiled before it is called.
    private readonly record struct PartOf(WeakReference<ModuleCompiler> Compiler, int Number);

    private readonly record struct FunctionOf(WeakReference<ModuleCompiler> Compiler, int Function, CodeForm Form, int Site, int HeatBefore)
    {
        /// <summary>How often it was called, or its loops went round, for each byte of its code.</summary>
        public double Worth => Compiler.TryGetTarget(out ModuleCompiler? compiler)
            ? ((double)compiler.Tiering.HeatOf(Function) - HeatBefore + 1) / (compiler.Module.BodyOf(Function).Bytes + BytesOfAny)
            : 0;
    }
}
