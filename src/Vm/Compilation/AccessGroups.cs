using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>
/// Memory accesses that are translated together: those of one straight line of code that are off the same local, which is not assigned
/// between them. Nothing in such a line calls into the heap and comes back, so that a page's address stays good from the first to the last.
/// </summary>
internal sealed class AccessGroup
{
    /// <summary>The base.</summary>
    public required int Local { get; init; }

    /// <summary>Which of the line's groups it is.</summary>
    public required int Number { get; init; }

    /// <summary>The positions of the accesses, ascending.</summary>
    public required int[] Members { get; init; }

    /// <summary>The smallest offset.</summary>
    public required long Low { get; init; }

    /// <summary>From the smallest offset to the end of the farthest access, in bytes.</summary>
    public required int Span { get; init; }

    /// <summary>The offset whose address must be a multiple of <see cref="Alignment"/>, and with it every access is aligned.</summary>
    public required long AlignedOffset { get; init; }

    /// <summary>The size of the widest access.</summary>
    public required int Alignment { get; init; }

    /// <summary>Whether any access is a store: then all go by the store table.</summary>
    public required bool HasStore { get; init; }
}

/// <summary>Finds a function's access groups.</summary>
internal sealed class AccessGroups
{
    /// <summary>The farthest that accesses of a group may lie apart; beyond, they would often not share a page.</summary>
    private const int SpanMax = 256;

    private readonly FunctionCode _code;
    private readonly Dictionary<int, AccessGroup> _groupOf = [];
    private readonly Dictionary<int, List<AccessGroup>> _lineOf = [];
    private readonly List<(int Local, int Version)> _stack = [];
    private readonly Dictionary<int, int> _versions = [];
    private readonly Dictionary<(int Local, int Version), List<int>> _candidates = [];

    private AccessGroups(FunctionCode code) => _code = code;

    /// <summary>Finds the groups of a function.</summary>
    public static AccessGroups Of(FunctionCode code)
    {
        var groups = new AccessGroups(code);
        groups.Scan();
        return groups;
    }

    /// <summary>The group that the access at a position belongs to, or null.</summary>
    public AccessGroup? At(int position) => _groupOf.GetValueOrDefault(position);

    /// <summary>The groups that have members both at or before a position and after it.</summary>
    public IEnumerable<AccessGroup> Across(int position) => _lineOf.TryGetValue(position, out List<AccessGroup>? line)
        ? line.Where(group => group.Members[0] <= position && position < group.Members[^1])
        : [];

    private void Scan()
    {
        int start = 0;
        for (int position = 0; position < _code.Instructions.Length; position++)
        {
            ref readonly Instruction instruction = ref _code.Instructions[position];
            if (EndsLine(in instruction))
            {
                CloseLine(start, position);
                start = position + 1;
            }
            else
            {
                Step(position, in instruction);
            }
        }

        CloseLine(start, _code.Instructions.Length);
    }

    // Control, calls, and whatever calls into the heap and comes back.
    private static bool EndsLine(in Instruction instruction) => instruction.Opcode switch
    {
        <= Opcode.CatchAll and not Opcode.Nop => true,
        Opcode.TryTable or Opcode.BrOnNull or Opcode.BrOnNonNull or Opcode.RefAsNonNull => true,
        Opcode.MemoryGrow or Opcode.TableGet or Opcode.TableSet or (>= Opcode.MemoryInit and <= Opcode.TableFill) => true,
        Opcode opcode when opcode.IsAtomic => true,
        Opcode opcode when MemoryAccess.IsAccess(opcode) => instruction.Index != 0 || 1 << instruction.AlignmentExponent < MemoryAccess.Of(instruction.Opcode).Size,
        _ => false,
    };

    private void Step(int position, in Instruction instruction)
    {
        Opcode opcode = instruction.Opcode;
        switch (opcode)
        {
            case Opcode.Nop:
                break;
            case Opcode.LocalGet:
                _stack.Add((instruction.Index, _versions.GetValueOrDefault(instruction.Index)));
                break;
            case Opcode.LocalSet or Opcode.LocalTee:
                Pop();
                int version = _versions.GetValueOrDefault(instruction.Index) + 1;
                _versions[instruction.Index] = version;
                if (opcode == Opcode.LocalTee)
                {
                    _stack.Add((instruction.Index, version));
                }

                break;
            case Opcode.Drop or Opcode.GlobalSet:
                Pop();
                break;
            case Opcode.Select or Opcode.SelectT:
                Pop();
                Pop();
                Pop();
                PushUnknown();
                break;
            case Opcode when MemoryAccess.IsLaneLoad(opcode):
                Pop();
                Pop();
                PushUnknown();
                break;
            case Opcode when MemoryAccess.IsLoad(opcode):
                AddCandidate(position, Pop());
                PushUnknown();
                break;
            case Opcode when MemoryAccess.IsStore(opcode):
                Pop();
                AddCandidate(position, Pop());
                break;
            default:
                for (int operand = OperandCount(opcode); operand > 0; operand--)
                {
                    Pop();
                }

                PushUnknown();
                break;
        }
    }

    private static int OperandCount(Opcode opcode)
    {
        if (VectorOperators.Find(opcode) is VectorOperator vectorOperator)
        {
            return vectorOperator.Operands.Length;
        }

        if (NumericInstructions.TryGetType(opcode, out _, out ValType second, out _))
        {
            return second == ValType.Bottom ? 1 : 2;
        }

        return opcode switch
        {
            Opcode.I8x16Shuffle => 2,
            (>= Opcode.I32DivS and <= Opcode.I32RemU) or (>= Opcode.I64DivS and <= Opcode.I64RemU) => 2,
            (>= Opcode.I32TruncF32S and <= Opcode.I32TruncF64U) or (>= Opcode.I64TruncF32S and <= Opcode.I64TruncF64U) => 1,
            _ => 0,
        };
    }

    private (int Local, int Version) Pop()
    {
        if (_stack.Count == 0)
        {
            return (-1, 0);
        }

        (int Local, int Version) top = _stack[^1];
        _stack.RemoveAt(_stack.Count - 1);
        return top;
    }

    private void PushUnknown() => _stack.Add((-1, 0));

    private void AddCandidate(int position, (int Local, int Version) address)
    {
        if (address.Local < 0)
        {
            return;
        }

        if (!_candidates.TryGetValue(address, out List<int>? members))
        {
            members = [];
            _candidates.Add(address, members);
        }

        members.Add(position);
    }

    private void CloseLine(int start, int end)
    {
        List<AccessGroup>? line = null;
        foreach (((int local, _), List<int> candidates) in _candidates)
        {
            if (candidates.Count > 1 && Form(local, candidates, line?.Count ?? 0) is AccessGroup group)
            {
                line ??= [];
                line.Add(group);
                foreach (int member in group.Members)
                {
                    _groupOf.Add(member, group);
                }
            }
        }

        if (line is not null)
        {
            for (int position = start; position < end; position++)
            {
                if (MemoryAccess.IsAccess(_code.Instructions[position].Opcode))
                {
                    _lineOf.Add(position, line);
                }
            }
        }

        _candidates.Clear();
        _versions.Clear();
        _stack.Clear();
    }

    // Takes the accesses that lie within the span of the first, and are aligned if the widest is.
    private AccessGroup? Form(int local, List<int> candidates, int number)
    {
        long first = _code.Instructions[candidates[0]].Immediate;
        int widest = candidates[0];
        foreach (int position in candidates)
        {
            if (SizeAt(position) > SizeAt(widest) && Math.Abs(_code.Instructions[position].Immediate - first) < SpanMax / 2)
            {
                widest = position;
            }
        }

        long aligned = _code.Instructions[widest].Immediate;
        long low = long.MaxValue;
        long high = 0;
        bool hasStore = false;
        var members = new List<int>();
        foreach (int position in candidates)
        {
            long offset = _code.Instructions[position].Immediate;
            int size = SizeAt(position);
            long newLow = Math.Min(low, offset);
            long newHigh = Math.Max(high, offset + size);
            if ((offset - aligned) % size == 0 && newHigh - newLow <= SpanMax)
            {
                (low, high) = (newLow, newHigh);
                hasStore |= MemoryAccess.IsStore(_code.Instructions[position].Opcode);
                members.Add(position);
            }
        }

        return members.Count < 2 ? null : new AccessGroup
        {
            Local = local,
            Number = number,
            Members = [.. members],
            Low = low,
            Span = (int)(high - low),
            AlignedOffset = aligned,
            Alignment = SizeAt(widest),
            HasStore = hasStore,
        };
    }

    private int SizeAt(int position) => MemoryAccess.Of(_code.Instructions[position].Opcode).Size;
}
