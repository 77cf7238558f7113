using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests.Differential;

/// <summary>
/// Makes the body of a function: valid because each part is asked for by the types that it shall leave, ending because function entries and loop heads use up fuel.
/// </summary>
internal sealed partial class FunctionGenerator
{
    private const int DepthMax = 9;

    private readonly ModulePlan _plan;
    private readonly FunctionPlan _function;
    private readonly Random _random;
    private readonly List<Node> _labels = [];
    private readonly bool _trapsWithoutFuel;
    private int _budget;
    private int _depth;

    private FunctionGenerator(ModulePlan plan, FunctionPlan function, Random random, int budget)
    {
        _plan = plan;
        _function = function;
        _random = random;
        _budget = budget;
        _trapsWithoutFuel = Chance(15);
    }

    /// <summary>Fills in a function's body.</summary>
    /// <param name="plan">The module, with the types of all of its functions.</param>
    /// <param name="function">The function; its body is empty.</param>
    /// <param name="random">Where choices come from.</param>
    /// <param name="budget">About how many instructions it shall have.</param>
    public static void Fill(ModulePlan plan, FunctionPlan function, Random random, int budget)
    {
        var generator = new FunctionGenerator(plan, function, random, budget);
        List<Node> body = function.Root.Bodies[0];
        generator._labels.Add(function.Root);
        body.AddRange(generator.UseFuel());
        do
        {
            body.Add(generator.Statement());
        }
        while (generator._budget > budget / 4);
        generator.AddSequence(body, function.Root.Results, statementPercent: 30);
    }

    private bool Has(Features feature) => (_plan.Features & feature) != 0;

    private bool Chance(int percent) => _random.Next(100) < percent;

    private T OneOf<T>(IReadOnlyList<T> items) => items[_random.Next(items.Count)];

    private ValType AnyType() => OneOf(_plan.ValueTypes);

    /// <summary>Makes one of several things, each as likely as its weight says; what cannot be made here returns null, and another is tried.</summary>
    private Node Choose(Func<Node> otherwise, params ReadOnlySpan<(int Weight, Func<Node?> Make)> choices)
    {
        int sum = 0;
        foreach ((int weight, _) in choices)
        {
            sum += weight;
        }

        for (int attempt = 0; attempt < 4; attempt++)
        {
            int at = _random.Next(sum);
            foreach ((int weight, Func<Node?> make) in choices)
            {
                at -= weight;
                if (at < 0)
                {
                    if (make() is Node node)
                    {
                        return node;
                    }

                    break;
                }
            }
        }

        return otherwise();
    }

    /// <summary>Adds what leaves values of the given types, in order, with statements between them.</summary>
    private void AddSequence(List<Node> nodes, ReadOnlySpan<ValType> types, int statementPercent = 8)
    {
        for (int at = 0; at < types.Length;)
        {
            if (Chance(statementPercent) && _budget > 0)
            {
                nodes.Add(Statement());
            }

            if (types.Length - at > 1 && Chance(25) && Several(types[at..].ToArray()) is Node several)
            {
                nodes.Add(several);
                at += several.Results.Length;
                continue;
            }

            nodes.Add(Value(types[at++]));
        }
    }

    private List<Node> Sequence(params ReadOnlySpan<ValType> types)
    {
        var nodes = new List<Node>();
        AddSequence(nodes, types);
        return nodes;
    }

    /// <summary>A value of a type.</summary>
    private Node Value(ValType type)
    {
        _budget--;
        if (_budget <= 0 || _depth >= DepthMax)
        {
            return Leaf(type);
        }

        _depth++;
        Node node = type.IsReference
            ? Choose(
                () => Leaf(type),
                (30, () => Leaf(type)),
                (20, () => TableGet(type)),
                (10, () => CallGiving([type])),
                (8, () => BlockGiving([type])),
                (type == ValType.FuncRef ? 5 : 0, () => AnyFunctionType() is ValType narrower ? Value(narrower) : null),
                (4, () => TryCatch([type])),
                (8, () => Select(type)),
                (5, () => Tee(type)),
                (5, () => type == ValType.ExternRef ? CallHost(HostInterface.MakeExtern) : null))
            : Choose(
                () => Leaf(type),
                (18, () => Leaf(type)),
                (46, () => Compute(type)),
                (12, () => Load(type)),
                (6, () => Atomic(type)),
                (5, () => TryCatch([type])),
                (1, () => TailCall([type])),
                (8, () => BlockGiving([type])),
                (6, () => CallGiving([type])),
                (3, () => Select(type)),
                (3, () => Tee(type)),
                (2, () => BranchWithValue(type)),
                (1, () => Leave([type])),
                (5, () => Count(type)));
        _depth--;
        return node;
    }

    private Node Leaf(ValType type)
    {
        if (Chance(55) && LocalOf(type) is int local)
        {
            return LocalGet(local);
        }

        if (Chance(25) && GlobalOf(type, mutable: false) is int global)
        {
            return new Node { Opcode = Opcode.GlobalGet, Results = [type], Immediates = Index(global) };
        }

        if (type.IsConcrete)
        {
            return FunctionLeaf(type);
        }

        return type == ValType.FuncRef && Chance(75)
            ? new Node { Opcode = Opcode.RefFunc, Results = [type], Immediates = Index(AnyFunction()) }
            : EdgeValues.Constant(type, _random);
    }

    /// <summary>Something that leaves nothing.</summary>
    private Node Statement()
    {
        _budget--;
        if (_budget <= 0 || _depth >= DepthMax)
        {
            return SetLocal(AnyType()) ?? new Node { Opcode = Opcode.Nop };
        }

        _depth++;
        Node node = Choose(
            () => new Node { Opcode = Opcode.Nop },
            (25, () => SetLocal(AnyType())),
            (10, SetGlobal),
            (18, Store),
            (6, AtomicStore),
            (6, () => TryCatch([])),
            (5, Throw),
            (2, () => TailCall([])),
            (5, NullBranch),
            (8, CallAndKeep),
            (10, () => BlockGiving([])),
            (7, CountedLoop),
            (5, () => Drop(Value(AnyType()))),
            (5, Log),
            (4, BranchIf),
            (3, BranchTable),
            (4, BulkMemory),
            (4, BulkTable),
            (4, SetElement),
            (1, () => Leave([])),
            (1, () => CallHost(HostInterface.Fail)));
        _depth--;
        return node;
    }

    private static Node Drop(Node value) => new() { Opcode = Opcode.Drop, Operands = [value], Results = value.Results[..^1] };

    /// <summary>Shows a value to the host.</summary>
    private Node Log() => Show(Value(AnyType()), VectorScratch);

    /// <summary>Shows the last of the values that a node leaves to the host; those in front of it stay. Of references to functions and exceptions, it shows whether they are null.</summary>
    /// <param name="node">The node.</param>
    /// <param name="vectorScratch">A local of type v128, where the module has vectors.</param>
    /// <param name="isFixed">Whether shrinking leaves it alone.</param>
    public static Node Show(Node node, int vectorScratch, bool isFixed = false)
    {
        ValType type = node.Results[^1];
        ValType[] rest = node.Results[..^1];
        if (type == ValType.V128)
        {
            node = new Node { Opcode = Opcode.LocalSet, Results = rest, Operands = [node], Immediates = Index(vectorScratch), IsFixed = isFixed };
            for (int lane = 0; lane < 2; lane++)
            {
                Node vector = new() { Opcode = Opcode.LocalGet, Results = [ValType.V128], Immediates = Index(vectorScratch) };
                Node half = new() { Opcode = Opcode.I64x2ExtractLane, Results = [ValType.I64], Operands = [vector], Immediates = [(byte)lane] };
                node = new Node { Opcode = Opcode.Call, Results = rest, Operands = [node, half], Immediates = Index(HostInterface.LogI64), IsFixed = isFixed };
            }

            return node;
        }

        if (type.IsReference && type != ValType.ExternRef)
        {
            node = new Node { Opcode = Opcode.RefIsNull, Results = [.. rest, ValType.I32], Operands = [node], IsFixed = isFixed };
            type = ValType.I32;
        }

        return new Node { Opcode = Opcode.Call, Results = rest, Operands = [node], Immediates = Index(HostInterface.LogOf(type)), IsFixed = isFixed };
    }

    private static byte[] Index(int index) => BinaryWriter.BytesOf(writer => writer.Unsigned(index));

    private static byte[] Index(int first, int second) => BinaryWriter.BytesOf(writer => writer.Unsigned(first).Unsigned(second));
}
