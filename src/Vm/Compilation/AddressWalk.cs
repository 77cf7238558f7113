using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>What is known of a value: two values of one number differ by their distances alone.</summary>
/// <param name="Number">The number of the value that it is computed from; 0 for constants.</param>
/// <param name="Distance">By how much it is more than that, modulo 2^32.</param>
/// <param name="Max">The largest number, unsigned, that it can be.</param>
internal readonly record struct AddressValue(int Number, int Distance, ulong Max);

/// <summary>What a walk over a function meets.</summary>
internal enum AddressEventKind
{
    /// <summary>An access to memory 0.</summary>
    Access,

    /// <summary>A block, loop or arm begins: what is inside may be passed over.</summary>
    Open,

    /// <summary>The innermost of them ends.</summary>
    Close,

    /// <summary>A branch that may be taken.</summary>
    Branch,

    /// <summary>A call, or something else that may call into the heap and comes back.</summary>
    Call,
}

/// <summary>One thing that a walk meets.</summary>
/// <param name="Kind">What.</param>
/// <param name="Position">The position of the instruction.</param>
/// <param name="Value">An access's address, without its offset.</param>
internal readonly record struct AddressEvent(AddressEventKind Kind, int Position, AddressValue Value);

/// <summary>How a value came about: an operator of two others.</summary>
/// <param name="Opcode">The operator.</param>
/// <param name="First">Its first operand.</param>
/// <param name="Second">Its second one.</param>
internal readonly record struct AddressDefinition(Opcode Opcode, AddressValue First, AddressValue Second);

/// <summary>
/// Numbers the values of a function from which the addresses of its memory accesses are computed: equal numbers stand for equal values (Alpern, Wegman, Zadeck, "Detecting Equality of
/// Variables in Programs", 1988), here in one pass over the structured code. A local has a new number behind whatever may have assigned it.
/// </summary>
internal sealed class AddressWalk
{
    /// <summary>Steps after which a walk gives up: nested constructs are gone through once for each of them. No program comes near.</summary>
    private const int StepsMax = 2_000_000;

    private const ulong I32Max = uint.MaxValue;

    private readonly FunctionCode _code;
    private readonly List<AddressEvent> _events = [];
    private readonly List<AddressValue> _stack = [];

    // By local; one that has not been met has no value yet.
    private readonly AddressValue?[] _locals;
    private readonly Dictionary<int, AddressValue> _globals = [];
    private readonly Dictionary<AddressDefinition, int> _numbers = [];
    private readonly Dictionary<int, AddressDefinition> _definitions = [];
    private readonly Dictionary<int, StripLoop> _strips = [];
    private readonly bool _isPaged;
    private readonly bool _findsStrips;
    private readonly List<(int Local, AddressValue Before)> _assignments = [];
    private readonly List<(int Position, int Assignments)> _scopes = [];

    // For each local, the last of the scopes at whose end it got a new number.
    private readonly int[] _endedAt;
    private int _ends;
    private int _lastNumber;
    private int _steps;
    private StripFinder? _finder;

    private AddressWalk(FunctionCode code, bool isPaged, bool findsStrips)
    {
        _code = code;
        _isPaged = isPaged;
        _findsStrips = findsStrips;
        _locals = new AddressValue?[code.Locals.Length];
        _endedAt = new int[code.Locals.Length];
    }

    /// <summary>What it meets, in the order of the code.</summary>
    public IReadOnlyList<AddressEvent> Events => _events;

    /// <summary>The loops that can go by strips, by position.</summary>
    public IReadOnlyDictionary<int, StripLoop> Strips => _strips;

    /// <summary>Walks over a function.</summary>
    /// <param name="code">The function, which accesses memory 0.</param>
    /// <param name="isPaged">Whether the memory is reached by pages.</param>
    /// <param name="findsStrips">Whether it looks for loops that can go by strips.</param>
    /// <returns>Null where nothing is known: it gave up, or memory 0 has addresses of 64 bits.</returns>
    public static AddressWalk? Over(FunctionCode code, bool isPaged, bool findsStrips)
    {
        var walk = new AddressWalk(code, isPaged, findsStrips);
        return !code.Module.Memories[0].Is64 && walk.Run() ? walk : null;
    }

    private bool Run()
    {
        for (int position = 0; position < _code.Instructions.Length; position++)
        {
            ref readonly Instruction instruction = ref _code.Instructions[position];
            switch (instruction.Opcode)
            {
                case Opcode.Block or Opcode.Loop or Opcode.If:
                    Open(position, in instruction);
                    break;
                case Opcode.Else:
                    Turn(position);
                    break;
                case Opcode.End when _scopes.Count > 0:
                    Close(position);
                    break;
                case Opcode opcode when opcode.NeverFallsThrough:
                    position = PositionBeforeEnd(position);
                    break;
                case Opcode.BrIf:
                    PopCondition();
                    Meet(AddressEventKind.Branch, position);
                    break;
                default:
                    if (_code.EndOf[position] != 0)
                    {
                        return false;
                    }

                    Step(position, in instruction);
                    break;
            }

            if (++_steps > StepsMax)
            {
                return false;
            }
        }

        return true;
    }

    private void Meet(AddressEventKind kind, int position, AddressValue value = default) => _events.Add(new AddressEvent(kind, position, value));

    private void Open(int position, in Instruction instruction)
    {
        if (instruction.Opcode == Opcode.If)
        {
            PopCondition();
        }

        if (!instruction.BlockType.ParametersIn(_code.Module).IsEmpty)
        {
            _stack.Clear();
        }

        _scopes.Add((position, _assignments.Count));
        Meet(AddressEventKind.Open, position);
        if (instruction.Opcode == Opcode.Loop)
        {
            // Its head is reached from its end, too.
            _globals.Clear();
            for (int inside = position + 1; inside < _code.EndOf[position]; inside++, _steps++)
            {
                if (_code.Instructions[inside].Opcode is Opcode.LocalSet or Opcode.LocalTee)
                {
                    Assign(_code.Instructions[inside].Index, Unknown(ulong.MaxValue));
                }
            }

            _finder = _findsStrips ? StripFinder.Begin(_code, position, _definitions, ValueOf) : null;
        }
    }

    private void PopCondition()
    {
        AddressValue condition = Pop();
        _finder?.Branch(condition);
    }

    // From one arm of an if to the other, which begins as the first did.
    private void Turn(int position)
    {
        Meet(AddressEventKind.Close, position);
        Meet(AddressEventKind.Open, position);
        for (int index = _assignments.Count - 1; index >= _scopes[^1].Assignments; index--, _steps++)
        {
            _locals[_assignments[index].Local] = _assignments[index].Before;
        }

        _stack.Clear();
        _globals.Clear();
    }

    private void Close(int position)
    {
        (int start, int assignments) = _scopes[^1];
        _scopes.RemoveAt(_scopes.Count - 1);
        Meet(AddressEventKind.Close, position);
        ref readonly Instruction opening = ref _code.Instructions[start];
        if (_finder?.Position == start)
        {
            if (_finder.End(_isPaged) is StripLoop strip)
            {
                _strips.Add(start, strip);
            }

            _finder = null;
        }

        // A loop is left at its end alone; the end of a block or an if is reached from elsewhere, too.
        if (opening.Opcode != Opcode.Loop)
        {
            _ends++;
            int assignmentsEnd = _assignments.Count;
            for (int index = assignments; index < assignmentsEnd; index++, _steps++)
            {
                int local = _assignments[index].Local;
                if (_endedAt[local] != _ends)
                {
                    _endedAt[local] = _ends;
                    Assign(local, Unknown(ulong.MaxValue));
                }
            }
        }

        _stack.Clear();
        _globals.Clear();
        foreach (ValType _ in opening.BlockType.ResultsIn(_code.Module))
        {
            _stack.Add(Unknown(ulong.MaxValue));
        }
    }

    // Behind what cannot be reached.
    private int PositionBeforeEnd(int position)
    {
        for (position++; position < _code.Instructions.Length; position++)
        {
            if (_code.Instructions[position].Opcode is Opcode.Else or Opcode.End)
            {
                return position - 1;
            }

            if (_code.EndOf[position] != 0)
            {
                position = _code.EndOf[position];
            }
        }

        return position;
    }

    private void Step(int position, in Instruction instruction)
    {
        Opcode opcode = instruction.Opcode;
        switch (opcode)
        {
            case Opcode.Nop:
                break;
            case Opcode.LocalGet:
                _stack.Add(ValueOf(instruction.Index));
                break;
            case Opcode.LocalSet or Opcode.LocalTee:
                AddressValue assigned = Pop();
                _finder?.Assign(instruction.Index, assigned);
                Assign(instruction.Index, assigned);
                if (opcode == Opcode.LocalSet)
                {
                    break;
                }

                _stack.Add(assigned);
                break;
            case Opcode.GlobalGet:
                if (!_globals.TryGetValue(instruction.Index, out AddressValue global))
                {
                    _globals[instruction.Index] = global = Unknown(ulong.MaxValue);
                }

                _stack.Add(global);
                break;
            case Opcode.GlobalSet:
                _globals[instruction.Index] = Pop();
                break;
            case Opcode.Drop:
                Pop();
                break;
            case Opcode.Select or Opcode.SelectT:
                Pop();
                _stack.Add(Unknown(Math.Max(Pop().Max, Pop().Max)));
                break;
            case Opcode.I32Const:
                _stack.Add(Constant((int)instruction.Immediate));
                break;
            case Opcode.I64Const or Opcode.F32Const or Opcode.F64Const or Opcode.MemorySize or Opcode.RefNull or Opcode.RefFunc:
                _stack.Add(Unknown(ulong.MaxValue));
                break;
            case Opcode.Call:
                StepOverCall(position, _code.Module.FunctionTypeOf(instruction.Index));
                break;
            case Opcode.CallIndirect:
                Pop();
                StepOverCall(position, _code.Module.FunctionTypeAt(instruction.Index));
                break;
            case Opcode when MemoryAccess.IsLaneLoad(opcode):
                // Put together from a load and an operator: a group cannot have it.
                Pop();
                Access(position, AddressEventKind.Call);
                _stack.Add(Unknown(ulong.MaxValue));
                break;
            case Opcode when MemoryAccess.IsLoad(opcode):
                Access(position, KindOf(in instruction));
                _stack.Add(Unknown(MaxOfLoad(opcode)));
                break;
            case Opcode when MemoryAccess.IsStore(opcode):
                Pop();
                Access(position, KindOf(in instruction));
                break;
            default:
                StepOverOther(position, opcode);
                break;
        }
    }

    // Further memories are reached by calls.
    private static AddressEventKind KindOf(in Instruction instruction) => instruction.Index == 0 ? AddressEventKind.Access : AddressEventKind.Call;

    private void Access(int position, AddressEventKind kind)
    {
        AddressValue address = Pop();
        Meet(kind, position, address);
        _finder?.Access(position, address);
    }

    private void StepOverCall(int position, FunctionType type)
    {
        for (int parameter = type.Parameters.Length; parameter > 0; parameter--)
        {
            Pop();
        }

        _globals.Clear();
        Meet(AddressEventKind.Call, position);
        for (int result = type.Results.Length; result > 0; result--)
        {
            _stack.Add(Unknown(ulong.MaxValue));
        }
    }

    private void StepOverOther(int position, Opcode opcode)
    {
        switch (OperandCount(opcode))
        {
            case 3:
                Pop();
                goto case 2;
            case 2:
                AddressValue second = Pop();
                _stack.Add(Operator(opcode, Pop(), second));
                break;
            case 1:
                _stack.Add(Operator(opcode, Pop(), default));
                break;
            default:
                // Whatever it does to the stack: what is not known there is taken as unknown.
                _stack.Clear();
                _globals.Clear();
                Meet(AddressEventKind.Call, position);
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
            (>= Opcode.I32DivS and <= Opcode.I32RemU) or (>= Opcode.I64DivS and <= Opcode.I64RemU) => 2,
            (>= Opcode.I32TruncF32S and <= Opcode.I32TruncF64U) or (>= Opcode.I64TruncF32S and <= Opcode.I64TruncF64U) => 1,
            _ => 0,
        };
    }

    private AddressValue Pop()
    {
        if (_stack.Count == 0)
        {
            return Unknown(ulong.MaxValue);
        }

        AddressValue top = _stack[^1];
        _stack.RemoveAt(_stack.Count - 1);
        return top;
    }

    private AddressValue Unknown(ulong max) => new(++_lastNumber, 0, max);

    private static AddressValue Constant(int value) => new(0, value, (uint)value);

    private AddressValue ValueOf(int local) => _locals[local] ??= local < _code.Type.Parameters.Length ? Unknown(ulong.MaxValue) : Constant(0);

    private void Assign(int local, AddressValue value)
    {
        _assignments.Add((local, ValueOf(local)));
        _locals[local] = value;
    }

    private AddressValue Operator(Opcode opcode, AddressValue first, AddressValue second)
    {
        switch (opcode)
        {
            case Opcode.I32Add when second.Number == 0:
                return Moved(first, second.Distance);
            case Opcode.I32Add when first.Number == 0:
                return Moved(second, first.Distance);
            case Opcode.I32Sub when second.Number == 0:
                return Moved(first, -second.Distance);
        }

        var definition = new AddressDefinition(opcode, first, second);
        if (!_numbers.TryGetValue(definition, out int number))
        {
            number = ++_lastNumber;
            _numbers.Add(definition, number);
            _definitions.Add(number, definition);
        }

        return new AddressValue(number, 0, MaxOf(opcode, first, second));
    }

    private static AddressValue Moved(AddressValue value, int distance) =>
        new(value.Number, value.Distance + distance, Math.Min(Math.Min(value.Max, I32Max) + (uint)distance, I32Max));

    // The largest result, for what bounds an index; else all ones.
    private static ulong MaxOf(Opcode opcode, AddressValue first, AddressValue second)
    {
        (ulong left, ulong right) = (Math.Min(first.Max, I32Max), Math.Min(second.Max, I32Max));
        bool isConstant = second.Number == 0;
        ulong max = opcode switch
        {
            Opcode.I32And => Math.Min(left, right),
            Opcode.I32Or or Opcode.I32Xor => (left | right) == 0 ? 0 : (1UL << (64 - (int)ulong.LeadingZeroCount(left | right))) - 1,
            Opcode.I32Add => left + right,
            Opcode.I32Mul => left * right,
            Opcode.I32Shl when isConstant => left << (second.Distance & 31),
            Opcode.I32ShrU when isConstant => left >> (second.Distance & 31),
            Opcode.I32RemU when isConstant && right > 0 => right - 1,
            Opcode.I32DivU when isConstant && right > 0 => left / right,
            Opcode.I32Eqz or (>= Opcode.I32Eq and <= Opcode.F64Ge) => 1,
            _ => ulong.MaxValue,
        };

        // What does not fit wraps around.
        return max > I32Max ? ulong.MaxValue : max;
    }

    private static ulong MaxOfLoad(Opcode opcode) => opcode switch
    {
        Opcode.I32Load8U => byte.MaxValue,
        Opcode.I32Load16U => ushort.MaxValue,
        _ => ulong.MaxValue,
    };
}
