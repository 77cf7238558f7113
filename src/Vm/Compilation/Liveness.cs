using System.Numerics;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>
/// Which locals are alive at each site: backward data flow over basic blocks (Aho, Lam, Sethi, Ullman, "Compilers", section 9.2.5).
/// The answer depends on the function alone, so that a frame saved by one compilation fits every other.
/// </summary>
internal sealed class Liveness
{
    /// <summary>Bits of the sets of what is alive at all blocks together, above which the analysis gives way to "all locals that are used are alive".</summary>
    private const long SetBitsMax = 1L << 28;

    private readonly FunctionCode _code;
    private readonly int[]?[] _aliveAt;
    private readonly int[] _denseOf;
    private readonly int[] _localOf;
    private readonly int _words;
    private readonly List<Block> _blocks = [];
    private int[] _blockOf = [];
    private bool _hasTries;

    private Liveness(FunctionCode code)
    {
        _code = code;
        _aliveAt = new int[]?[code.Instructions.Length];
        _denseOf = new int[code.Locals.Length];
        Array.Fill(_denseOf, -1);
        for (int position = 0; position < code.Instructions.Length; position++)
        {
            if (ReadLocal(position) is int local and >= 0)
            {
                _denseOf[local] = 0;
            }
        }

        // Ascending, as what is alive is.
        var used = new List<int>();
        for (int local = 0; local < _denseOf.Length; local++)
        {
            if (_denseOf[local] == 0)
            {
                _denseOf[local] = used.Count;
                used.Add(local);
            }
        }

        _localOf = [.. used];
        _words = (used.Count + 63) / 64;
    }

    /// <summary>The locals alive on entry; those that are not parameters are zero there.</summary>
    public int[] AliveAtEntry { get; private set; } = [];

    public static Liveness Of(FunctionCode code)
    {
        var liveness = new Liveness(code);
        liveness.SplitIntoBlocks();
        if ((long)liveness._blocks.Count * liveness._words * 64 > SetBitsMax)
        {
            liveness.TakeAllAsAlive();
        }
        else
        {
            liveness.Solve();
            liveness.RecordSites();
        }

        return liveness;
    }

    /// <summary>The locals alive at a site, ascending: before a memory access or loop header, after a call or growth of a memory.</summary>
    /// <param name="position">The position of the instruction.</param>
    public int[] AliveAt(int position) => _aliveAt[position]!;

    private static bool IsSite(Opcode opcode) =>
        opcode is Opcode.Loop or Opcode.MemoryAtomicWait32 or Opcode.MemoryAtomicWait64 || opcode.IsCallSite || opcode.IsAccess;

    private static bool EndsBlock(Opcode opcode) => (opcode.OpensBlock && opcode != Opcode.Block) || opcode is Opcode.Else or Opcode.Catch or Opcode.CatchAll
        || opcode.ClosesBlock || opcode.IsConditionalBranch || opcode.NeverFallsThrough;

    // The local that an instruction reads, or -1: its own, or the exception that a rethrow throws.
    private int ReadLocal(int position) => _code.Instructions[position].Opcode switch
    {
        Opcode.LocalGet => _code.Instructions[position].Index,
        Opcode.Rethrow => _code.CaughtLocalOf[position],
        _ => -1,
    };

    // A loop instruction is a block of its own: branches to the loop arrive at it, and it is the site of its header.
    private void SplitIntoBlocks()
    {
        Instruction[] instructions = _code.Instructions;
        _blockOf = new int[instructions.Length];
        int start = 0;
        for (int position = 0; position < instructions.Length; position++)
        {
            bool isTarget = instructions[position].Opcode == Opcode.Loop || instructions[position].Opcode.ClosesBlock;
            if (isTarget && start < position)
            {
                CloseBlock(start, position);
                start = position;
            }

            if (EndsBlock(instructions[position].Opcode))
            {
                CloseBlock(start, position + 1);
                start = position + 1;
            }
        }

        if (start < instructions.Length)
        {
            CloseBlock(start, instructions.Length);
        }

        var open = new List<int>();
        for (int position = 0; position < instructions.Length; position++)
        {
            ref readonly Instruction instruction = ref instructions[position];
            if (instruction.Opcode.OpensBlock)
            {
                open.Add(position);
                _hasTries |= instruction.Opcode is Opcode.Try or Opcode.TryTable;
            }
            else if (instruction.Opcode.ClosesBlock && open.Count > 0)
            {
                open.RemoveAt(open.Count - 1);
            }

            Block block = _blocks[_blockOf[position]];
            if (block.End == position + 1)
            {
                block.Successors = SuccessorsOf(position, open);
                block.Handlers = HandlersAt(position, open);
            }
        }
    }

    private void CloseBlock(int start, int end)
    {
        _blockOf.AsSpan(start, end - start).Fill(_blocks.Count);
        _blocks.Add(new Block(start, end));
    }

    private int[] SuccessorsOf(int position, List<int> open)
    {
        ref readonly Instruction instruction = ref _code.Instructions[position];
        switch (instruction.Opcode)
        {
            case Opcode.Br:
                return TargetOf(instruction.Index, open) is int target ? [target] : [];
            case Opcode.BrIf or Opcode.BrOnNull or Opcode.BrOnNonNull:
                return TargetOf(instruction.Index, open) is int taken ? [taken, .. Next(position)] : Next(position);
            case Opcode.BrTable:
                return [.. instruction.Labels!.Select(label => TargetOf(label, open)).OfType<int>().Distinct()];
            case Opcode.If:
                int otherwise = _code.ElseOf[position] >= 0 ? _code.ElseOf[position] + 1 : _code.EndOf[position];
                return [_blockOf[otherwise], .. Next(position)];
            case Opcode.Else:
                return [_blockOf[_code.EndOf[position]]];
            case Opcode.Catch or Opcode.CatchAll:
                return [_blockOf[_code.EndOf[open[^1]]]];
            default:
                return instruction.Opcode.NeverFallsThrough ? [] : Next(position);
        }
    }

    // Where an exception may go that is thrown at some point of a block: to the catches of every try around.
    private int[] HandlersAt(int position, List<int> open)
    {
        if (!_hasTries)
        {
            return [];
        }

        var handlers = new HashSet<int>();
        for (int index = 0; index < open.Count; index++)
        {
            ref readonly Instruction instruction = ref _code.Instructions[open[index]];
            if (instruction.Opcode == Opcode.TryTable)
            {
                List<int> around = open.GetRange(0, index);
                handlers.UnionWith(instruction.Catches!.Select(clause => TargetOf(clause.Label, around)).OfType<int>());
            }
            else if (instruction.Opcode == Opcode.Try && _code.CatchesOf.TryGetValue(open[index], out List<int>? catches) && position <= catches[0])
            {
                handlers.UnionWith(catches.Select(start => _blockOf[start + 1]));
            }
        }

        return [.. handlers];
    }

    private int[] Next(int position) => position + 1 < _code.Instructions.Length ? [_blockOf[position + 1]] : [];

    private int? TargetOf(int depth, List<int> open)
    {
        if (depth >= open.Count)
        {
            return null;
        }

        int start = open[open.Count - 1 - depth];
        return _blockOf[_code.Instructions[start].Opcode == Opcode.Loop ? start : _code.EndOf[start]];
    }

    private void Solve()
    {
        foreach (Block block in _blocks)
        {
            block.Alive = new ulong[_words];
            block.Read = new ulong[_words];
            block.Assigned = new ulong[_words];
            for (int position = block.End - 1; position >= block.Start; position--)
            {
                Step(position, block.Read, block.Assigned);
            }
        }

        var scratch = new ulong[_words];
        bool changed = true;
        while (changed)
        {
            changed = false;
            for (int index = _blocks.Count - 1; index >= 0; index--)
            {
                Block block = _blocks[index];
                AliveAfter(block, scratch);
                for (int word = 0; word < scratch.Length; word++)
                {
                    scratch[word] = block.Read[word] | (scratch[word] & ~block.Assigned[word]);
                }

                // An exception may come before the block's first instruction.
                AddAlive(block.Handlers, scratch);
                if (!scratch.AsSpan().SequenceEqual(block.Alive))
                {
                    scratch.CopyTo(block.Alive, 0);
                    changed = true;
                }
            }
        }

        AliveAtEntry = _blocks.Count > 0 ? ToLocals(_blocks[0].Alive) : [];
    }

    private void RecordSites()
    {
        var scratch = new ulong[_words];
        var last = new ulong[_words];
        int[] lastLocals = [];
        foreach (Block block in _blocks)
        {
            AliveAfter(block, scratch);
            for (int position = block.End - 1; position >= block.Start; position--)
            {
                if (IsSite(_code.Instructions[position].Opcode))
                {
                    // Often the same as at the next site.
                    if (!scratch.AsSpan().SequenceEqual(last))
                    {
                        scratch.CopyTo(last, 0);
                        lastLocals = ToLocals(scratch);
                    }

                    _aliveAt[position] = lastLocals;
                }

                Step(position, scratch);
                AddAlive(block.Handlers, scratch);
            }
        }
    }

    private void AliveAfter(Block block, ulong[] set)
    {
        Array.Clear(set);
        AddAlive(block.Successors, set);
        AddAlive(block.Handlers, set);
    }

    private void AddAlive(int[] blocks, ulong[] set)
    {
        foreach (int successor in blocks)
        {
            ulong[] alive = _blocks[successor].Alive;
            for (int word = 0; word < set.Length; word++)
            {
                set[word] |= alive[word];
            }
        }
    }

    private void Step(int position, ulong[] alive, ulong[]? assignments = null)
    {
        ref readonly Instruction instruction = ref _code.Instructions[position];
        if (instruction.Opcode is Opcode.LocalSet or Opcode.LocalTee)
        {
            if (_denseOf[instruction.Index] is int assigned and >= 0)
            {
                alive[assigned >> 6] &= ~(1UL << (assigned & 63));
                if (assignments is not null)
                {
                    assignments[assigned >> 6] |= 1UL << (assigned & 63);
                }
            }
        }
        else if (ReadLocal(position) is int local and >= 0)
        {
            alive[_denseOf[local] >> 6] |= 1UL << (_denseOf[local] & 63);
        }
    }

    private int[] ToLocals(ulong[] set)
    {
        int count = 0;
        foreach (ulong word in set)
        {
            count += BitOperations.PopCount(word);
        }

        var locals = new int[count];
        int index = 0;
        for (int word = 0; word < set.Length; word++)
        {
            for (ulong bits = set[word]; bits != 0; bits &= bits - 1)
            {
                locals[index++] = _localOf[(word << 6) + BitOperations.TrailingZeroCount(bits)];
            }
        }

        return locals;
    }

    private void TakeAllAsAlive()
    {
        int[] all = _localOf;
        AliveAtEntry = all;
        for (int position = 0; position < _code.Instructions.Length; position++)
        {
            if (IsSite(_code.Instructions[position].Opcode))
            {
                _aliveAt[position] = all;
            }
        }
    }

    private sealed class Block(int start, int end)
    {
        public int Start { get; } = start;

        public int End { get; } = end;

        public int[] Successors { get; set; } = [];

        /// <summary>The blocks at which exceptions are caught that are thrown within it.</summary>
        public int[] Handlers { get; set; } = [];

        /// <summary>The locals that are alive at its start.</summary>
        public ulong[] Alive { get; set; } = [];

        /// <summary>Those that it reads before it assigns them.</summary>
        public ulong[] Read { get; set; } = [];

        /// <summary>Those that it assigns.</summary>
        public ulong[] Assigned { get; set; } = [];
    }
}
