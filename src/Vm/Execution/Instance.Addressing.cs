using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using Everheap.Engine;
using Everheap.Vm.Compilation;

namespace Everheap.Vm.Execution;

/// <content>
/// How the memory is reached. As long as it fits the budget it is pinned, and the code is compiled for a memory in one piece. Once it has outgrown that, the next safepoint
/// captures the stack (one follows each growth at once), and the program goes on by pages: frames name WebAssembly's values and offsets, so that any compilation can take
/// them up. Code of the one kind never runs while the memory is reached in the other way.
/// </content>
internal sealed unsafe partial class Instance
{
    private const int AlternationsMax = 64;

    private readonly ModuleCompiler?[] _compilers = new ModuleCompiler?[2];
    private int _captures;

    /// <summary>How the memory is reached.</summary>
    public Addressing Addressing => _compiler.Addressing;

    // Before the first function is entered, or while the whole stack lies in the heap.
    [MemberNotNull(nameof(_compiler))]
    private void ReachMemory(Addressing addressing)
    {
        if (addressing == Addressing.Contiguous && _memory?.TryPin((ulong)_options.ContiguousBytesMax) != true)
        {
            addressing = Addressing.Paged;
        }

        if (addressing == Addressing.Paged)
        {
            _memory?.Unpin();
        }

        _compiler = _compilers[(int)addressing] ??= ModuleCompiler.Compile(Module, _options.CodeFor(addressing), _options.CaptureEvery);
        _siteNumbers.Clear();
        _indexedFunctions.Clear();
        new Span<nint>(_context->Twins, Module.FunctionTypes.Count).Clear();
        foreach (Table table in _tables)
        {
            table.ResolveAll();
        }

        ShowMemory();
    }

    private void ReachMemoryAnew()
    {
        // A switch moves the whole memory: often at first, then ever less often.
        if (_options.AlternatesAddressing && (++_captures <= AlternationsMax || BitOperations.IsPow2(_captures)))
        {
            ReachMemory(Addressing == Addressing.Paged ? Addressing.Contiguous : Addressing.Paged);
        }
        else if (_memory?.HasOutgrownPin == true)
        {
            ReachMemory(Addressing.Paged);

            // A memory never shrinks, so its code for one piece has run for the last time.
            _compilers[(int)Addressing.Contiguous] = null;
        }
    }

    // Compiled code sees the memory through the context.
    private void ShowMemory()
    {
        if (_memory is null)
        {
            return;
        }

        PinnedRange? pinned = _memory.Pinned;
        ulong reached = pinned is null ? _memory.Length : Math.Min(_memory.Length, pinned.Length);
        _context->LoadTable = _memory.Window.LoadTable;
        _context->MemoryBytes = _memory.Length;
        _context->MemoryBase = pinned?.Memory ?? 0;
        _context->DirtyMap = pinned?.DirtyMap ?? 0;
        _context->Last8 = (long)reached - 1;
        _context->Last16 = (long)reached - 2;
        _context->Last32 = (long)reached - 4;
        _context->Last64 = (long)reached - 8;
        _context->Last128 = (long)reached - 16;
    }
}
