using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests.Differential;

/// <content>Blocks, branches, calls and fuel.</content>
internal sealed partial class FunctionGenerator
{
    private const int BlockValuesMax = 3;
    private const int LoopTurnsMax = 6;
    private const int BranchLabelsMax = 5;

    /// <summary>What stands at the entry of a function and at the head of a loop: without fuel it leaves, with it it takes one unit.</summary>
    private IEnumerable<Node> UseFuel()
    {
        var leave = new List<Node>();
        if (_trapsWithoutFuel)
        {
            leave.Add(new Node { Opcode = Opcode.Unreachable, IsFixed = true });
        }
        else
        {
            leave.AddRange(_function.Root.Results.Select(EdgeValues.Default));
            leave.Add(new Node { Opcode = Opcode.Return, IsFixed = true });
        }

        yield return new Node { Opcode = Opcode.If, Bodies = [leave], Operands = [Node.Of(Opcode.I32Eqz, ValType.I32, Fuel())], IsFixed = true };
        yield return new Node
        {
            Opcode = Opcode.GlobalSet,
            Immediates = Index(ModuleGenerator.FuelGlobal),
            Operands = [Node.Of(Opcode.I32Sub, ValType.I32, Fuel(), EdgeValues.I32(1))],
            IsFixed = true,
        };
    }

    private static Node Fuel() => new() { Opcode = Opcode.GlobalGet, Results = [ValType.I32], Immediates = Index(ModuleGenerator.FuelGlobal), IsFixed = true };

    /// <summary>Several values at once: of a function or a block that has them as its first results.</summary>
    private Node? Several(ValType[] types)
    {
        if (_budget <= 0 || _depth >= DepthMax)
        {
            return null;
        }

        _depth++;
        int count = _random.Next(2, types.Length + 1);
        Node? node = CallGiving(types[..count]) ?? BlockGiving(types[..Math.Min(count, BlockValuesMax)]);
        _depth--;
        return node;
    }

    private ValType[] AnyTypes(int countMax)
    {
        var types = new ValType[_random.Next(countMax + 1)];
        for (int index = 0; index < types.Length; index++)
        {
            types[index] = AnyType();
        }

        return types;
    }

    /// <summary>A block, loop or if with the given results; often with arguments.</summary>
    private Node BlockGiving(ValType[] results)
    {
        Opcode opcode = OneOf<Opcode>([Opcode.Block, Opcode.Block, Opcode.If, Opcode.If, Opcode.Loop]);
        ValType[] parameters = Chance(30) ? AnyTypes(BlockValuesMax) : [];
        List<Node> operands = Sequence(parameters);
        if (opcode == Opcode.If)
        {
            operands.Add(Value(ValType.I32));
        }

        bool hasElse = opcode == Opcode.If && (Chance(60) || !parameters.SequenceEqual(results));
        var block = new Node
        {
            Opcode = opcode,
            Parameters = parameters,
            Results = results,
            Operands = operands,
            Bodies = hasElse ? [[], []] : [[]],
        };
        _labels.Add(block);
        foreach (List<Node> body in block.Bodies)
        {
            FillBody(block, body);
        }

        _labels.RemoveAt(_labels.Count - 1);
        return block;
    }

    private void FillBody(Node block, List<Node> body)
    {
        ReadOnlySpan<ValType> results = block.Results;
        Node? arguments = block.Parameters.Length > 0 ? new Node { Results = block.Parameters } : null;
        if (block.Opcode == Opcode.Loop)
        {
            body.AddRange(UseFuel());
        }

        // The arguments lie on the stack: all but the first go to locals, and the first may stay.
        while (arguments is not null && arguments.Results.Length > 0)
        {
            ValType type = arguments.Results[^1];
            if (arguments.Results.Length == 1 && results.Length > 0 && results[0] == type && Chance(70))
            {
                body.Insert(0, arguments);
                results = results[1..];
                arguments = null;
            }
            else
            {
                arguments = LocalOf(type) is int local && Chance(80)
                    ? new Node { Opcode = Opcode.LocalSet, Operands = [arguments], Results = arguments.Results[..^1], Immediates = Index(local) }
                    : Drop(arguments);
            }
        }

        if (arguments is not null)
        {
            body.Insert(0, arguments);
        }

        for (int count = _random.Next(4); count > 0 && _budget > 0; count--)
        {
            body.Add(Statement());
        }

        AddSequence(body, results, statementPercent: 20);
    }

    /// <summary>A loop that counts down in a local, so that it has several turns.</summary>
    private Node? CountedLoop()
    {
        if (LocalOf(ValType.I32) is not int counter)
        {
            return null;
        }

        var body = new List<Node>();
        var loop = new Node { Opcode = Opcode.Loop, Bodies = [body] };
        _labels.Add(loop);
        body.AddRange(UseFuel());
        for (int count = _random.Next(1, 4); count > 0; count--)
        {
            body.Add(Statement());
        }

        _labels.RemoveAt(_labels.Count - 1);
        Node next = Node.Of(Opcode.I32Sub, ValType.I32, LocalGet(counter), EdgeValues.I32(1));
        var condition = new Node { Opcode = Opcode.LocalTee, Results = [ValType.I32], Operands = [next], Immediates = Index(counter) };
        body.Add(new Node { Opcode = Opcode.BrIf, Operands = [condition], Targets = [loop] });
        return new Node
        {
            Opcode = Opcode.Block,
            Bodies = [[Node.Statement(Opcode.LocalSet, Index(counter), EdgeValues.I32(_random.Next(1, LoopTurnsMax))), loop]],
        };
    }

    private Node? BranchIf()
    {
        Node target = OneOf(_labels);
        List<Node> operands = Sequence([.. target.LabelTypes, ValType.I32]);
        Node branch = new() { Opcode = Opcode.BrIf, Results = target.LabelTypes, Operands = operands, Targets = [target] };
        return DropAll(branch);
    }

    /// <summary>A conditional branch that passes on the value which it would take along.</summary>
    private Node? BranchWithValue(ValType type)
    {
        Node[] targets = [.. _labels.Where(label => label.LabelTypes.AsSpan().SequenceEqual([type]))];
        return targets.Length == 0 ? null : new Node
        {
            Opcode = Opcode.BrIf,
            Results = [type],
            Operands = Sequence(type, ValType.I32),
            Targets = [OneOf(targets)],
        };
    }

    private Node? BranchTable()
    {
        Node first = OneOf(_labels);
        Node[] alike = [.. _labels.Where(label => label.LabelTypes.AsSpan().SequenceEqual(first.LabelTypes))];
        var targets = new Node[_random.Next(1, BranchLabelsMax)];
        for (int index = 0; index < targets.Length; index++)
        {
            targets[index] = OneOf(alike);
        }

        Node branch = new() { Opcode = Opcode.BrTable, Operands = Sequence([.. first.LabelTypes, ValType.I32]), Targets = targets };
        return Chance(70) ? new Node { Opcode = Opcode.If, Operands = [Value(ValType.I32)], Bodies = [[branch]] } : branch;
    }

    /// <summary>An instruction that is never passed: a branch, a return, rarely a trap.</summary>
    private Node Leave(ValType[] results)
    {
        if (Chance(8))
        {
            return new Node { Opcode = Opcode.Unreachable, Results = results };
        }

        if (Chance(25))
        {
            return new Node { Opcode = Opcode.Return, Results = results, Operands = Sequence(_function.Root.Results) };
        }

        Node target = OneOf(_labels);
        return new Node { Opcode = Opcode.Br, Results = results, Operands = Sequence(target.LabelTypes), Targets = [target] };
    }

    /// <summary>A call of a function with just these results, directly or through a table.</summary>
    private Node? CallGiving(ValType[] results)
    {
        var found = new List<int>();
        for (int function = 0; function < _plan.FunctionCount; function++)
        {
            if (_plan.FunctionTypeOf(function).Results.SequenceEqual(results) && _plan.IsForCalls(function))
            {
                found.Add(function);
            }
        }

        return found.Count > 0 ? Call(OneOf(found)) : null;
    }

    private int AnyFunction()
    {
        int function;
        do
        {
            function = _random.Next(_plan.FunctionCount);
        }
        while (!_plan.IsForCalls(function));
        return function;
    }

    private Node Call(int function)
    {
        FunctionType type = _plan.FunctionTypeOf(function);
        int[] tables = [.. Enumerable.Range(0, _plan.Tables.Count).Where(table => _plan.Tables[table].ElementType == ValType.FuncRef)];
        List<Node> operands = Sequence(type.Parameters);
        ValType[] results = type.Results.ToArray();
        if (Has(Features.FunctionReferences) && Chance(20))
        {
            return CallReference(type, operands);
        }

        if (tables.Length == 0 || Chance(60))
        {
            return new Node { Opcode = Opcode.Call, Results = results, Operands = operands, Immediates = Index(function) };
        }

        int table = OneOf(tables);
        operands.Add(ElementIndex(table, function));
        return new Node { Opcode = Opcode.CallIndirect, Results = results, Operands = operands, Immediates = Index(_plan.TypeIndexOf(type), table) };
    }

    private Node CallHost(int function)
    {
        FunctionType type = HostInterface.Functions[function].Type;
        return new Node { Opcode = Opcode.Call, Results = type.Results.ToArray(), Operands = Sequence(type.Parameters), Immediates = Index(function) };
    }

    /// <summary>A call of any function, whose results go to locals.</summary>
    private Node CallAndKeep() => DropAll(Call(AnyFunction()));

    /// <summary>Puts all values that a node leaves into locals, or drops them.</summary>
    private Node DropAll(Node node)
    {
        while (node.Results.Length > 0)
        {
            node = LocalOf(node.Results[^1]) is int local && Chance(70)
                ? new Node { Opcode = Opcode.LocalSet, Operands = [node], Results = node.Results[..^1], Immediates = Index(local) }
                : Drop(node);
        }

        return node;
    }
}
