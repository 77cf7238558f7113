using System.Globalization;
using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests.Differential;

/// <summary>Makes a module of what a seed says: the same from the same seed.</summary>
internal sealed class ModuleGenerator
{
    /// <summary>The global that holds the fuel.</summary>
    public static readonly int FuelGlobal = HostInterface.Globals.Count;

    private const int LargeMemoryPages = 24;
    private const int TableElementsMax = 12;
    private const int SegmentElementsMax = 8;
    private const int LocalsMax = 8;
    private const int ProbesMax = 4;

    private readonly Random _random;
    private readonly ModulePlan _plan;
    private readonly List<int> _callable = [];

    private ModuleGenerator(int seed)
    {
        _random = new Random(seed);
        _plan = new ModulePlan
        {
            ValueTypes =
            [
                ValType.I32, ValType.I32, ValType.I32, ValType.I32, ValType.I64, ValType.I64, ValType.I64, ValType.F32, ValType.F32, ValType.F64, ValType.F64,
                ValType.FuncRef, ValType.ExternRef,
            ],
        };
    }

    /// <summary>Makes a module.</summary>
    public static ModulePlan Generate(int seed)
    {
        var generator = new ModuleGenerator(seed);
        generator.Generate();
        return generator._plan;
    }

    private void Generate()
    {
        DeclareMemories();
        DeclareTables();
        DeclareFunctions();
        DeclareGlobals();
        DeclareSegments();
        int declared = _plan.Functions.Count;
        int budget = OneOf<int>([40, 80, 80, 150]);
        for (int index = 0; index < declared; index++)
        {
            FunctionGenerator.Fill(_plan, _plan.Functions[index], _random, budget);
        }

        for (int index = 0; index < declared; index++)
        {
            AddEntry(string.Create(CultureInfo.InvariantCulture, $"call{index}"), function: _plan.Functions[index].Index, element: null);
        }

        if (Chance(10))
        {
            _plan.Start = _plan.Functions[^1].Index;
        }

        AddProbes();
        AddObserver();
    }

    private bool Chance(int percent) => _random.Next(100) < percent;

    private T OneOf<T>(IReadOnlyList<T> items) => items[_random.Next(items.Count)];

    private ValType[] AnyTypes(int countMax)
    {
        var types = new ValType[_random.Next(countMax + 1)];
        for (int index = 0; index < types.Length; index++)
        {
            types[index] = OneOf(_plan.ValueTypes);
        }

        return types;
    }

    private void DeclareMemories()
    {
        if (Chance(95))
        {
            int minimum = Chance(8) ? LargeMemoryPages : OneOf<int>([0, 1, 1, 1, 2, 3]);
            _plan.Memories.Add(new MemoryPlan(minimum, minimum + _random.Next(4)));
        }
    }

    private void DeclareTables()
    {
        for (int count = OneOf<int>([0, 1, 1, 2, 3]); count > 0; count--)
        {
            int minimum = _random.Next(TableElementsMax);
            _plan.Tables.Add(new TablePlan(Chance(70) ? ValType.FuncRef : ValType.ExternRef, minimum, minimum + _random.Next(6)));
        }
    }

    private void DeclareFunctions()
    {
        for (int count = _random.Next(2, 6); count > 0; count--)
        {
            var type = new FunctionType(AnyTypes(4), AnyTypes(3));
            List<ValType> locals = [.. type.Parameters, .. AnyTypes(LocalsMax), ValType.I32, ValType.F32, ValType.F64];
            AddFunction(type, locals, exportName: null);
        }

        _callable.AddRange(Enumerable.Range(0, _plan.FunctionCount).Where(_plan.IsForCalls));
    }

    private FunctionPlan AddFunction(FunctionType type, List<ValType> locals, string? exportName)
    {
        var root = new Node { Opcode = Opcode.Block, Results = type.Results.ToArray(), Bodies = [[]] };
        var function = new FunctionPlan { Type = type, Index = _plan.FunctionCount, Locals = locals, Root = root, ExportName = exportName };
        _plan.Functions.Add(function);
        return function;
    }

    private void DeclareGlobals()
    {
        _plan.Globals.Add(new GlobalPlan(ValType.I32, IsMutable: true, EdgeValues.I32(0)));
        for (int count = _random.Next(2, 9); count > 0; count--)
        {
            ValType type = OneOf(_plan.ValueTypes);
            _plan.Globals.Add(new GlobalPlan(type, Chance(80), ConstantOf(type)));
        }
    }

    private Node ConstantOf(ValType type)
    {
        if (type == ValType.FuncRef && Chance(70))
        {
            return new Node { Opcode = Opcode.RefFunc, Results = [type], Immediates = Index(OneOf(_callable)) };
        }

        int imported = HostInterface.Globals.ToList().FindIndex(global => global.Type == type);
        return imported >= 0 && Chance(20)
            ? new Node { Opcode = Opcode.GlobalGet, Results = [type], Immediates = Index(imported) }
            : EdgeValues.Constant(type, _random);
    }

    private void DeclareSegments()
    {
        for (int table = 0; table < _plan.Tables.Count; table++)
        {
            if (_plan.Tables[table].ElementType == ValType.FuncRef)
            {
                int length = Math.Min(_plan.Tables[table].Minimum + (Chance(1) ? 1 : 0), SegmentElementsMax);
                _plan.Elements.Add(new ElementPlan(SegmentMode.Active, table, EdgeValues.I32(0), AnyFunctions(length)));
            }
        }

        for (int count = _random.Next(3); count > 0; count--)
        {
            _plan.Elements.Add(new ElementPlan(SegmentMode.Passive, 0, null, AnyFunctions(_random.Next(SegmentElementsMax))));
        }

        // Whatever ref.func names must be declared outside of the functions.
        _plan.Elements.Add(new ElementPlan(SegmentMode.Declarative, 0, null, [.. _callable.Select(function => (int?)function)]));
        for (int count = _plan.Memories.Count == 0 ? 0 : _random.Next(4); count > 0; count--)
        {
            var bytes = new byte[_random.Next(40)];
            _random.NextBytes(bytes);
            long room = _plan.Memories[0].Bytes - bytes.Length;
            bool isActive = Chance(50) && (room >= 0 || Chance(1));
            Node? offset = isActive ? EdgeValues.I32(Chance(98) ? _random.Next((int)Math.Max(room + 1, 1)) : (int)room + 1) : null;
            _plan.Data.Add(new DataPlan(isActive ? SegmentMode.Active : SegmentMode.Passive, 0, offset, bytes));
        }
    }

    private int?[] AnyFunctions(int count)
    {
        var functions = new int?[count];
        for (int index = 0; index < count; index++)
        {
            functions[index] = Chance(85) ? OneOf(_callable) : null;
        }

        return functions;
    }

    /// <summary>A function that is called from outside: it fills up the fuel, makes a call, and shows the results.</summary>
    private void AddEntry(string name, int function, (int Table, int Element)? element)
    {
        FunctionType type = _plan.FunctionTypeOf(function);
        Node[] arguments = [.. type.Parameters.ToArray().Select(parameter =>
            parameter == ValType.FuncRef && Chance(70) ? new Node { Opcode = Opcode.RefFunc, Results = [parameter], Immediates = Index(OneOf(_callable)) } : EdgeValues.Constant(parameter, _random))];
        Node node = element is (int table, int at)
            ? new Node
            {
                Opcode = Opcode.CallIndirect,
                Results = type.Results.ToArray(),
                Operands = [.. arguments, EdgeValues.I32(at)],
                Immediates = BinaryWriter.BytesOf(writer => writer.Unsigned(_plan.TypeIndexOf(type)).Unsigned(table)),
            }
            : new Node { Opcode = Opcode.Call, Results = type.Results.ToArray(), Operands = [.. arguments], Immediates = Index(function) };
        List<Node> body = AddFunction(new FunctionType([], []), [], name).Root.Bodies[0];
        body.Add(new Node { Opcode = Opcode.GlobalSet, Operands = [EdgeValues.I32(OneOf<int>([20, 60, 200, 500]))], Immediates = Index(FuelGlobal), IsFixed = true });
        while (node.Results.Length > 0)
        {
            node = FunctionGenerator.Show(node);
        }

        body.Add(node);
        _plan.Calls.Add(name);
    }

    /// <summary>Calls of what lies in the tables in the end.</summary>
    private void AddProbes()
    {
        int[] tables = [.. Enumerable.Range(0, _plan.Tables.Count).Where(table => _plan.Tables[table] is { ElementType: ValType.FuncRef, Minimum: > 0 })];
        for (int probe = 0; tables.Length > 0 && probe < ProbesMax; probe++)
        {
            int table = OneOf(tables);
            AddEntry(string.Create(CultureInfo.InvariantCulture, $"probe{probe}"), OneOf(_callable), (table, _random.Next(_plan.Tables[table].Minimum)));
        }
    }

    /// <summary>Shows all globals, sizes and elements.</summary>
    private void AddObserver()
    {
        const string Name = "observe";
        List<Node> body = AddFunction(new FunctionType([], []), [], Name).Root.Bodies[0];
        for (int global = 0; global < _plan.GlobalCount; global++)
        {
            body.Add(FunctionGenerator.Show(new Node { Opcode = Opcode.GlobalGet, Results = [_plan.GlobalTypeOf(global).ValueType], Immediates = Index(global) }, isFixed: true));
        }

        if (_plan.Memories.Count > 0)
        {
            body.Add(FunctionGenerator.Show(new Node { Opcode = Opcode.MemorySize, Results = [ValType.I32], Immediates = [0] }, isFixed: true));
        }

        for (int table = 0; table < _plan.Tables.Count; table++)
        {
            body.Add(FunctionGenerator.Show(new Node { Opcode = Opcode.TableSize, Results = [ValType.I32], Immediates = Index(table) }, isFixed: true));
            for (int element = 0; element < _plan.Tables[table].Minimum; element++)
            {
                Node get = new() { Opcode = Opcode.TableGet, Results = [_plan.Tables[table].ElementType], Operands = [EdgeValues.I32(element)], Immediates = Index(table) };
                body.Add(FunctionGenerator.Show(get, isFixed: true));
            }
        }

        _plan.Calls.Insert(_plan.Calls.Count(call => call.StartsWith("call", StringComparison.Ordinal)), Name);
        _plan.Calls.Add(Name);
    }

    private static byte[] Index(int index) => BinaryWriter.BytesOf(writer => writer.Unsigned(index));
}
