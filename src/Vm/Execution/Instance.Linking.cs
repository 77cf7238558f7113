using System.Diagnostics.CodeAnalysis;
using Everheap.Engine;
using Everheap.Vm.Compilation;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Execution;

/// <content>
/// How its code reaches what is linked to it: the memory, through the context and the way the code is compiled; functions of other instances, through cells and bridges.
/// </content>
internal sealed unsafe partial class Instance
{
    private readonly Dictionary<int, uint> _signatures = [];
    private readonly Dictionary<ulong, nint> _referencedCode = [];

    /// <summary>The number of a type that the module does not have: no call in it can be for that.</summary>
    private const uint ForeignSignature = uint.MaxValue;

    /// <summary>How the memory is reached.</summary>
    public Addressing Addressing => _compiler.Addressing;

    /// <summary>The code it runs.</summary>
    public ModuleCompiler Compiler => _compiler;

    /// <summary>
    /// Takes the code for a way of reaching the memory: before the first function is entered, or while no frame of the instance that will go on lies on the native stack.
    /// The group tells all others that call its functions (<see cref="InstanceGroup.RefreshEntries"/>).
    /// </summary>
    [MemberNotNull(nameof(_compiler))]
    public void ReachMemory(Addressing addressing)
    {
        ModuleCompiler? before = _compiler;
        _compiler = Module.AcquireCode(Group.Options.CodeFor(addressing));
        if (before is not null)
        {
            // A memory never shrinks: once it is reached by pages because it has grown, its code for one piece has run for the last time.
            Module.ReleaseCode(before, isOutgrown: addressing == Addressing.Paged && !Group.Options.AlternatesAddressing);
        }

        _context->Functions = _compiler.Functions;
        _context->Twins = _compiler.Twins;
        _context->Countdowns = _compiler.Tiering.Countdowns;
        _siteNumbers.Clear();
        _referencedCode.Clear();
        _callers.Clear();
        _indexedFunctions.Clear();
        RefreshImports();
        ShowMemory();
    }

    /// <summary>Finds out anew where imported functions of other instances are.</summary>
    public void RefreshImports()
    {
        for (int index = 0; index < _importedFunctions.Length; index++)
        {
            if (_importedFunctions[index] is GuestFunction function)
            {
                _context->Imports[index] = function.Owner.CellOf(function.Index);
            }
        }
    }

    /// <summary>How a function that it declares is called.</summary>
    public FunctionCell CellOf(int function) => _compiler.CellOf(_context, function);

    /// <summary>Compiled code sees the memory through the context.</summary>
    public void ShowMemory()
    {
        if (Memory is not LinearMemory memory)
        {
            return;
        }

        PinnedRange? pinned = memory.Pinned;
        ulong reached = pinned is null ? memory.Length : Math.Min(memory.Length, pinned.Length);
        _context->LoadTable = memory.Window.LoadTable;
        _context->StoreTable = memory.Window.StoreTable;
        _context->MemoryBytes = memory.Length;
        _context->MemoryBase = pinned?.Memory ?? 0;
        _context->DirtyMap = pinned?.DirtyMap ?? 0;
        _context->Last8 = (long)reached - 1;
        _context->Last16 = (long)reached - 2;
        _context->Last32 = (long)reached - 4;
        _context->Last64 = (long)reached - 8;
        _context->Last128 = (long)reached - 16;
    }

    /// <summary>The entry point, for code of this instance, of the function that a reference means, which is not null.</summary>
    public nint CodeOf(ulong reference)
    {
        if (!_referencedCode.TryGetValue(reference, out nint code))
        {
            code = Group.TryFindFunction(reference, out Instance? owner, out int function) && owner == this
                ? _compiler.Resolve(function)
                : Resolve(reference).Code;
            _referencedCode.Add(reference, code);
        }

        return code;
    }

    /// <summary>What an indirect call of this instance needs for a reference.</summary>
    public TableEntry Resolve(ulong reference)
    {
        if (!Group.TryFindFunction(reference, out Instance? owner, out int function))
        {
            return default;
        }

        return owner == this ? _compiler.EntryOf(function) : new TableEntry
        {
            Code = Group.Bridges.EntryOf(owner, function),
            Signature = SignatureOf(Group.Types.NumberOf(owner.Module, owner.Module.FunctionTypes[function])),
            Function = TableEntry.Foreign,
        };
    }

    /// <summary>Makes the bridges that <see cref="Resolve"/> will ask for, all at once.</summary>
    public void PrepareBridges(ReadOnlySpan<ulong> references)
    {
        List<(Instance Owner, int Function)>? foreign = null;
        foreach (ulong reference in references)
        {
            if (Group.TryFindFunction(reference, out Instance? owner, out int function) && owner != this)
            {
                (foreign ??= []).Add((owner, function));
            }
        }

        if (foreign is not null)
        {
            Group.Bridges.Prepare(foreign);
        }
    }

    // By the number that the type has in the group.
    private uint SignatureOf(int type)
    {
        if (_signatures.Count == 0)
        {
            for (int index = 0; index < Module.Types.Count; index++)
            {
                _signatures.TryAdd(Group.Types.NumberOf(Module, index), (uint)_compiler.SignatureOf(index));
            }
        }

        return _signatures.GetValueOrDefault(type, ForeignSignature);
    }
}
