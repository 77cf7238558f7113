using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Everheap.Vm.Caching;

namespace Everheap.Vm.Compilation;

/// <summary>
/// Which functions of a large module are worth optimising. Such a module's functions are compiled in a hurry at first, which takes the JIT half of the time; they count their calls, and how often their loops
/// go round. At the first call, what a function calls is compiled ahead. One that has counted down to 0 is <em>hot</em>: it is compiled once more in the background (<see cref="Optimiser"/>), and the better code takes its place in the table of functions. A loop that still goes
/// round then goes on in a continuation of its own, from its head on, as soon as there is one.
/// <para>
/// A cache keeps which functions were called, and which were hot. The next time those are optimised as soon as the program has begun in earnest, and of the others only those that were called are compiled ahead.
/// </para>
/// <para>
/// Counts are shared by the threads that run the module, which may lose some.
/// </para>
/// </summary>
internal sealed unsafe class Tiering
{
    /// <summary>Bytes of a module's code from which its functions are compiled in a hurry at first; all functions of a smaller one are optimised at once.</summary>
    public const int ModuleBytesMin = 256 << 10;

    /// <summary>How often a function is called, or its loops go round, before it is hot.</summary>
    public const int HotCalls = 500;

    /// <summary>After how many calls or rounds it is looked again whether there is better code.</summary>
    private const int LookAgainAfter = 100;

    /// <summary>How often a loop goes round, for each byte of its function and each call that makes a function hot, before its continuation is asked for: by then it has taken a twentieth of the time that compiling takes.</summary>
    private const double RoundsPerByteAndHotCall = 0.04;

    /// <summary>The record in the cache is written anew when so many functions more are optimised.</summary>
    private const int SavedAfter = 16;

    private const int NotCalled = -1;

    private readonly ModuleCompiler _compiler;
    private readonly CodeOptions _options;
    private readonly CachedModule? _cached;
    private readonly int _functions;
    private readonly int* _countdowns;
    private readonly int* _heat;
    private readonly ConcurrentDictionary<(int Function, int Site), bool> _found = new();
    private readonly ConcurrentDictionary<(int Function, int Site), int> _rounds = new();
    private readonly Lock _gate = new();

    // What the cache has kept: how hot functions were; null where nothing was kept.
    private int[]? _before;

    // The record as it was read or written last; null before that.
    private byte[]? _record;
    private bool _isRecalled;
    private int _optimised;
    private int _saved;

    /// <summary>Prepares the counts of a module.</summary>
    /// <param name="compiler">Its compiler.</param>
    public Tiering(ModuleCompiler compiler)
    {
        _compiler = compiler;
        _options = compiler.Options;
        _cached = compiler.Module.Cached;
        _functions = compiler.Module.FunctionTypes.Count;
        nuint count = (nuint)Math.Max(_functions, 1);
        _countdowns = (int*)NativeMemory.Alloc(count, sizeof(int));
        new Span<int>(_countdowns, _functions).Fill(1);
        _heat = (int*)NativeMemory.Alloc(count, sizeof(int));
        new Span<int>(_heat, _functions).Fill(NotCalled);
    }

    ~Tiering()
    {
        NativeMemory.Free(_countdowns);
        NativeMemory.Free(_heat);
    }

    /// <summary>What each function has left to go: one call before its first.</summary>
    public int* Countdowns => _countdowns;

    /// <summary>A function has counted down. The first time it is called, and will soon call others; then it is hot, and better code is asked for, once.</summary>
    public void FindHot(int function)
    {
        if (_heat[function] == NotCalled)
        {
            _heat[function] = 0;
            _countdowns[function] = _options.HotCalls - 1;
            Optimiser.AddCaller(_compiler, function);
            return;
        }

        _countdowns[function] = LookAgainAfter;
        _heat[function]++;
        Recall();
        Ask(function);
    }

    /// <summary>Whether there is a continuation for a loop of a hot function; asks for one when the loop has gone round long enough since its function has better code.</summary>
    public bool IsLoopReady(int function, int site)
    {
        if (_found.TryGetValue((function, site), out bool isReady))
        {
            return isReady;
        }

        // Nearly always the function is left before its better code is there, and entered anew; or soon after a capture, behind which it has gone on in its twin.
        if (_found.GetValueOrDefault((function, -1))
            && _rounds.AddOrUpdate((function, site), LookAgainAfter, static (_, rounds) => rounds + LookAgainAfter) >= RoundsPerByteAndHotCall * _options.HotCalls * _compiler.Module.BodyOf(function).Bytes
            && _found.TryAdd((function, site), false))
        {
            Optimiser.Add(_compiler, function, CodeForm.Continuation, site);
        }

        return false;
    }

    /// <summary>There is better code now: of a function, or, for a site that is not -1, the continuation for a loop.</summary>
    public void SetReady(int function, int site)
    {
        _found[(function, site)] = true;
        if (site < 0 && ++_optimised >= _saved + SavedAfter)
        {
            Save();
        }
    }

    /// <summary>How hot a function is, or was before; 0 if it was called, less than 0 if it was not.</summary>
    public int HeatOf(int function) => Math.Max(_heat[function], _before?[function] ?? NotCalled);

    /// <summary>Whether a function need not be compiled ahead: it has been called or optimised, or was not called the last time.</summary>
    public bool IsPassedOver(int function) => _heat[function] != NotCalled || _found.GetValueOrDefault((function, -1)) || _before?[function] < 0;

    /// <summary>Writes down for the next time which functions were called, and which were hot.</summary>
    public void Save()
    {
        if (_cached is null || !_compiler.IsTiered)
        {
            return;
        }

        lock (_gate)
        {
            ReadRecord();
            var record = new List<int>();
            for (int function = 0; function < _functions; function++)
            {
                int heat = HeatOf(function);
                if (heat != NotCalled)
                {
                    record.Add(function);
                    record.Add(heat);
                }
            }

            _saved = _optimised;
            ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(record));
            if (!bytes.SequenceEqual(_record))
            {
                _record = bytes.ToArray();
                _cached.WriteHeat(_options, bytes);
            }
        }
    }

    private void Ask(int function)
    {
        if (_found.TryAdd((function, -1), false))
        {
            Optimiser.Add(_compiler, function, CodeForm.Fast, -1);
        }
    }

    // Not before the program has begun: what it begins with is not to wait.
    private void Recall()
    {
        if (_isRecalled)
        {
            return;
        }

        lock (_gate)
        {
            _isRecalled = true;
            ReadRecord();
            for (int function = 0; function < _functions; function++)
            {
                if (_before?[function] > 0)
                {
                    Ask(function);
                }
            }
        }
    }

    private void ReadRecord()
    {
        if (_record is not null)
        {
            return;
        }

        _record = _cached?.ReadHeat(_options) ?? [];
        ReadOnlySpan<int> record = MemoryMarshal.Cast<byte, int>(_record);
        if (record.IsEmpty)
        {
            return;
        }

        var before = new int[_functions];
        before.AsSpan().Fill(NotCalled);
        for (int index = 0; index + 1 < record.Length; index += 2)
        {
            (int function, int heat) = (record[index], record[index + 1]);
            if (function < _functions && _compiler.IsHurried(function) && heat >= 0)
            {
                before[function] = heat;
            }
        }

        _before = before;
    }
}
