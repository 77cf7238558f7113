using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>Finds the streams of one loop, while a walk goes through it.</summary>
internal sealed class StripFinder
{
    /// <summary>Instructions of a loop's body, which is emitted twice.</summary>
    private const int InstructionsMax = 600;

    /// <summary>Streams that a loop may have: each takes registers.</summary>
    private const int StreamsMax = 8;

    /// <summary>Bytes that a stream may move by at an iteration; what moves faster soon leaves its page.</summary>
    private const int StepMax = 256;

    /// <summary>Bytes that the accesses of one stream may span.</summary>
    private const long SpanMax = 1024;

    /// <summary>Operators over each other in an address that is computed again.</summary>
    private const int DepthMax = 6;

    private readonly FunctionCode _code;
    private readonly IReadOnlyDictionary<int, AddressDefinition> _definitions;
    private readonly Dictionary<int, AddressValue> _before = [];
    private readonly Dictionary<int, (int Local, int Distance)> _localOf = [];
    private readonly HashSet<int> _assigned = [];
    private readonly Dictionary<int, (int Down, int Up)> _steps = [];
    private readonly HashSet<int> _irregular = [];
    private readonly List<(int Position, AddressValue Value)> _accesses = [];
    private readonly List<AddressValue> _conditions = [];

    private StripFinder(FunctionCode code, int position, IReadOnlyDictionary<int, AddressDefinition> definitions)
    {
        _code = code;
        Position = position;
        _definitions = definitions;
    }

    /// <summary>The loop's position.</summary>
    public int Position { get; }

    /// <summary>Begins at a loop's head.</summary>
    /// <param name="code">The function.</param>
    /// <param name="position">The loop.</param>
    /// <param name="definitions">What operators gave the numbers of values.</param>
    /// <param name="valueOf">The value of a local at the head.</param>
    /// <returns>Null where the loop has another loop in it, or calls something.</returns>
    public static StripFinder? Begin(FunctionCode code, int position, IReadOnlyDictionary<int, AddressDefinition> definitions, Func<int, AddressValue> valueOf)
    {
        int end = code.EndOf[position];
        if (end - position > InstructionsMax)
        {
            return null;
        }

        var finder = new StripFinder(code, position, definitions);
        for (int inside = position + 1; inside < end; inside++)
        {
            ref readonly Instruction instruction = ref code.Instructions[inside];
            if (!MayBeInStrip(in instruction))
            {
                return null;
            }

            if (instruction.Opcode is Opcode.LocalGet or Opcode.LocalSet or Opcode.LocalTee)
            {
                finder._before[instruction.Index] = valueOf(instruction.Index);
                if (instruction.Opcode != Opcode.LocalGet)
                {
                    finder._assigned.Add(instruction.Index);
                }
            }
        }

        foreach ((int local, AddressValue value) in finder._before)
        {
            finder._localOf.TryAdd(value.Number, (local, value.Distance));
        }

        return finder;
    }

    /// <summary>A local is assigned in the loop.</summary>
    public void Assign(int local, AddressValue value)
    {
        if (value.Number == 0 || value.Number != _before[local].Number)
        {
            _irregular.Add(local);
            return;
        }

        (int down, int up) = _steps.GetValueOrDefault(local);
        int step = value.Distance - _before[local].Distance;
        _steps[local] = (Math.Min(down, step), Math.Max(up, step));
    }

    /// <summary>The loop accesses memory 0.</summary>
    public void Access(int position, AddressValue address) => _accesses.Add((position, address));

    /// <summary>The loop branches, or takes one way of two.</summary>
    public void Branch(AddressValue condition) => _conditions.Add(condition);

    /// <summary>Ends at the loop's end.</summary>
    /// <param name="isPaged">Whether the memory is reached by pages.</param>
    /// <returns>Null where nothing would be gained.</returns>
    public StripLoop? End(bool isPaged)
    {
        var members = new List<List<(int Position, AddressValue Value)>>();
        foreach ((int position, AddressValue value) in _accesses)
        {
            bool isRegular = TermOf(value.Number, 0) is not null && StepOf(value.Number, 0) is not null;
            if (isRegular && !MemoryAccess.IsLaneLoad(_code.Instructions[position].Opcode) && Place(members, position, value))
            {
                continue;
            }

            // By pages, an access that may straddle two of them is a call where it does.
            ref readonly Instruction instruction = ref _code.Instructions[position];
            if (isPaged && 1 << instruction.AlignmentExponent < MemoryAccess.Of(instruction.Opcode).Size)
            {
                return null;
            }
        }

        if (members.Count == 0)
        {
            return null;
        }

        var memberAt = new Dictionary<int, StripMember>();
        var streams = new StripStream[members.Count];
        for (int index = 0; index < streams.Length; index++)
        {
            streams[index] = StreamOf(members[index]);
            int lowest = members[index].Min(member => member.Value.Distance);
            foreach ((int position, AddressValue value) in members[index])
            {
                memberAt.Add(position, new StripMember(index, (long)value.Distance - lowest + _code.Instructions[position].Immediate));
            }
        }

        // What counts goes on for longer, as a rule, than what looks for something.
        return new StripLoop(streams, memberAt) { IsCounted = _conditions.TrueForAll(condition => IsCounted(condition.Number, 0)) };
    }

    // Whether a value follows from locals alone that move step by step.
    private bool IsCounted(int number, int depth) => number == 0
        || (_localOf.TryGetValue(number, out (int Local, int Distance) place) && !_irregular.Contains(place.Local))
        || (depth <= DepthMax && _definitions.TryGetValue(number, out AddressDefinition definition)
            && IsCounted(definition.First.Number, depth + 1) && IsCounted(definition.Second.Number, depth + 1));

    private static bool MayBeInStrip(in Instruction instruction)
    {
        Opcode opcode = instruction.Opcode;
        if (MemoryAccess.IsAccess(opcode))
        {
            return instruction.Index == 0;
        }

        return opcode is not (Opcode.Loop or Opcode.MemoryGrow or Opcode.TableGet or Opcode.TableSet or (>= Opcode.MemoryInit and <= Opcode.TableFill))
            && !opcode.IsCall && !opcode.IsTailCall && !opcode.IsAtomic;
    }

    private bool Place(List<List<(int Position, AddressValue Value)>> members, int position, AddressValue value)
    {
        foreach (List<(int Position, AddressValue Value)> stream in members)
        {
            if (stream[0].Value.Number == value.Number)
            {
                stream.Add((position, value));
                if (SpanOf(stream, out _, out _) <= SpanMax)
                {
                    return true;
                }

                stream.RemoveAt(stream.Count - 1);
            }
        }

        if (members.Count == StreamsMax)
        {
            return false;
        }

        members.Add([(position, value)]);
        return true;
    }

    // How far accesses reach from the lowest address among them, offsets not counted.
    private long SpanOf(List<(int Position, AddressValue Value)> members, out long first, out long end)
    {
        int lowest = members.Min(member => member.Value.Distance);
        (first, end) = (long.MaxValue, 0);
        foreach ((int position, AddressValue value) in members)
        {
            long at = (long)value.Distance - lowest + _code.Instructions[position].Immediate;
            first = Math.Min(first, at);
            end = Math.Max(end, at + MemoryAccess.Of(_code.Instructions[position].Opcode).Size);
        }

        return end - first;
    }

    private StripStream StreamOf(List<(int Position, AddressValue Value)> members)
    {
        SpanOf(members, out long first, out long end);
        AddressValue lowest = members.MinBy(member => member.Value.Distance).Value;
        (int down, int up) = StepOf(lowest.Number, 0)!.Value;
        return new StripStream(TermOf(lowest, 0)!, down, up)
        {
            First = first,
            End = end,
            Members = members.Count,
            HasStore = members.Exists(member => MemoryAccess.IsStore(_code.Instructions[member.Position].Opcode)),
        };
    }

    // By how much a value can change at an iteration, or null where that is not known.
    private (int Down, int Up)? StepOf(int number, int depth)
    {
        if (number == 0)
        {
            return (0, 0);
        }

        if (_localOf.TryGetValue(number, out (int Local, int Distance) place))
        {
            return !_assigned.Contains(place.Local) ? (0, 0) : _irregular.Contains(place.Local) ? null : Within(_steps.GetValueOrDefault(place.Local));
        }

        if (depth > DepthMax || !_definitions.TryGetValue(number, out AddressDefinition definition)
            || StepOf(definition.First.Number, depth + 1) is not (int, int) first || StepOf(definition.Second.Number, depth + 1) is not (int, int) second)
        {
            return null;
        }

        bool isConstant = definition.Second.Number == 0;
        return definition.Opcode switch
        {
            Opcode.I32Add => Within((first.Down + second.Down, first.Up + second.Up)),
            Opcode.I32Sub => Within((first.Down - second.Up, first.Up - second.Down)),
            Opcode.I32Shl when isConstant && (uint)definition.Second.Distance < 8 => Within((first.Down << definition.Second.Distance, first.Up << definition.Second.Distance)),
            Opcode.I32Mul when isConstant && (uint)definition.Second.Distance <= StepMax => Within((first.Down * definition.Second.Distance, first.Up * definition.Second.Distance)),
            _ when first == (0, 0) && second == (0, 0) => (0, 0),
            _ => null,
        };
    }

    private static (int Down, int Up)? Within((int Down, int Up) step) => step.Down >= -StepMax && step.Up <= StepMax ? step : null;

    private StripTerm? TermOf(AddressValue value, int depth)
    {
        if (TermOf(value.Number, depth) is not StripTerm term)
        {
            return null;
        }

        return value.Distance == 0 ? term
            : value.Number == 0 ? new StripTerm(Opcode.I32Const, value.Distance)
            : new StripTerm(Opcode.I32Add, 0, term, new StripTerm(Opcode.I32Const, value.Distance));
    }

    // How a value is computed at the loop's head, or null.
    private StripTerm? TermOf(int number, int depth)
    {
        if (number == 0)
        {
            return new StripTerm(Opcode.I32Const, 0);
        }

        if (_localOf.TryGetValue(number, out (int Local, int Distance) place))
        {
            var local = new StripTerm(Opcode.LocalGet, place.Local);
            return place.Distance == 0 ? local : new StripTerm(Opcode.I32Sub, 0, local, new StripTerm(Opcode.I32Const, place.Distance));
        }

        return depth <= DepthMax && _definitions.TryGetValue(number, out AddressDefinition definition)
            && definition.Opcode is (>= Opcode.I32Add and <= Opcode.I32Mul) or (>= Opcode.I32And and <= Opcode.I32ShrU)
            && TermOf(definition.First, depth + 1) is StripTerm first && TermOf(definition.Second, depth + 1) is StripTerm second
            ? new StripTerm(definition.Opcode, 0, first, second)
            : null;
    }
}
