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

    private static readonly ValType[] UsualTypes =
    [
        ValType.I32, ValType.I32, ValType.I32, ValType.I32, ValType.I64, ValType.I64, ValType.I64, ValType.F32, ValType.F32, ValType.F64, ValType.F64, ValType.FuncRef, ValType.ExternRef,
    ];

    private readonly Random _random;
    private readonly ModulePlan _plan;
    private readonly List<int> _callable = [];

    private ModuleGenerator(int seed, Features allowed)
    {
        _random = new Random(seed);
        Features features = Features.None;
        foreach (Features feature in Enum.GetValues<Features>().Where(feature => System.Numerics.BitOperations.IsPow2((int)feature)))
        {
            features |= Chance(45) ? feature & allowed : 0;
        }

        _plan = new ModulePlan { Features = features, ValueTypes = [.. UsualTypes] };
        if (Has(Features.Vectors))
        {
            _plan.ValueTypes.AddRange([ValType.V128, ValType.V128, ValType.V128, ValType.V128]);
        }

        if (Has(Features.Exceptions))
        {
            _plan.ValueTypes.Add(ValType.ExnRef);
        }
    }

    /// <summary>Makes a module.</summary>
    /// <param name="seed">What it is made of.</param>
    /// <param name="allowed">What it may use; it uses some of it.</param>
    public static ModulePlan Generate(int seed, Features allowed)
    {
        var generator = new ModuleGenerator(seed, allowed);
        generator.Generate();
        return generator._plan;
    }

    private void Generate()
    {
        DeclareTypes();
        DeclareMemories();
        DeclareTables();
        DeclareFunctions();
        DeclareGlobals();
        DeclareSegments();
        int declared = _plan.Functions.Count;
        int budget = OneOf<int>([40, 40, 80, 80, 80, 150, 400]);
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

    private bool Has(Features feature) => (_plan.Features & feature) != 0;

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

    private void DeclareTypes()
    {
        for (int count = Has(Features.FunctionReferences) ? _random.Next(1, 3) : 0; count > 0; count--)
        {
            var type = new FunctionType(AnyTypes(2), AnyTypes(2));
            ValType reference = ValTypes.Concrete(_plan.TypeIndexOf(type));
            _plan.FunctionReferenceTypes.Add(reference);
            _plan.ValueTypes.AddRange([reference, reference]);
        }

        for (int count = Has(Features.Exceptions) ? _random.Next(1, 4) : 0; count > 0; count--)
        {
            _plan.Tags.Add(AnyTypes(3));
        }
    }

    private void DeclareMemories()
    {
        for (int count = Has(Features.MultipleMemories) ? _random.Next(1, 4) : Chance(95) ? 1 : 0; count > 0; count--)
        {
            int minimum = Chance(8) ? LargeMemoryPages : OneOf<int>([0, 1, 1, 1, 2, 3]);
            _plan.Memories.Add(new MemoryPlan(minimum, minimum + _random.Next(4), Has(Features.Memory64) && Chance(60)));
        }
    }

    private void DeclareTables()
    {
        for (int count = OneOf<int>([0, 1, 1, 2, 3]); count > 0; count--)
        {
            int minimum = _random.Next(TableElementsMax);
            ValType type = Chance(70) ? ValType.FuncRef : Chance(40) && _plan.FunctionReferenceTypes.Count > 0 ? OneOf(_plan.FunctionReferenceTypes) : ValType.ExternRef;
            _plan.Tables.Add(new TablePlan(type, minimum, minimum + _random.Next(6), Has(Features.Memory64) && Chance(40)));
        }
    }

    private void DeclareFunctions()
    {
        for (int count = _random.Next(2, 6); count > 0; count--)
        {
            FunctionType type = Chance(40) && _plan.FunctionReferenceTypes.Count > 0
                ? _plan.Types[OneOf(_plan.FunctionReferenceTypes).TypeIndex]
                : new FunctionType(AnyTypes(4), AnyTypes(3));
            List<ValType> locals = [.. type.Parameters, .. AnyTypes(LocalsMax), ValType.I32, .. FunctionGenerator.ScratchOf(_plan.Features)];
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

    /// <summary>A constant expression of several instructions, where the module has these.</summary>
    private Node ExtendedConstantOf(ValType type, int depth)
    {
        int? global = _plan.Globals.FindIndex(candidate => candidate.Type == type && !candidate.IsMutable) is >= 0 and int index ? index : null;
        if (global is int own && Chance(30))
        {
            return new Node { Opcode = Opcode.GlobalGet, Results = [type], Immediates = Index(HostInterface.Globals.Count + own) };
        }

        if (depth == 0 || Chance(30))
        {
            return EdgeValues.Constant(type, _random);
        }

        Opcode opcode = type == ValType.I32 ? OneOf<Opcode>([Opcode.I32Add, Opcode.I32Sub, Opcode.I32Mul]) : OneOf<Opcode>([Opcode.I64Add, Opcode.I64Sub, Opcode.I64Mul]);
        return Node.Of(opcode, type, ExtendedConstantOf(type, depth - 1), ExtendedConstantOf(type, depth - 1));
    }

    /// <summary>The offset of an active segment.</summary>
    private Node OffsetOf(bool is64, int value)
    {
        Node offset = is64 ? EdgeValues.I64(value) : EdgeValues.I32(value);
        if (!Has(Features.ExtendedConstants) || Chance(30))
        {
            return offset;
        }

        int part = _random.Next(-100, 100);
        return is64
            ? Node.Of(Opcode.I64Sub, ValType.I64, EdgeValues.I64(value + (long)part), EdgeValues.I64(part))
            : Node.Of(Opcode.I32Add, ValType.I32, EdgeValues.I32(value - part), EdgeValues.I32(part));
    }

    private Node ConstantOf(ValType type)
    {
        if (type == ValType.FuncRef && Chance(70))
        {
            return new Node { Opcode = Opcode.RefFunc, Results = [type], Immediates = Index(OneOf(_callable)) };
        }

        if (type.IsConcrete)
        {
            int[] found = [.. _callable.Where(function => _plan.TypeIndexOf(_plan.FunctionTypeOf(function)) == type.TypeIndex)];
            return found.Length > 0 && Chance(70) ? new Node { Opcode = Opcode.RefFunc, Results = [type], Immediates = Index(OneOf(found)) } : EdgeValues.Default(type);
        }

        if (Has(Features.ExtendedConstants) && type is ValType.I32 or ValType.I64 && Chance(60))
        {
            return ExtendedConstantOf(type, depth: 3);
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
                _plan.Elements.Add(new ElementPlan(SegmentMode.Active, table, OffsetOf(_plan.Tables[table].Is64, 0), AnyFunctions(length)));
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
            int memory = _random.Next(_plan.Memories.Count);
            long room = _plan.Memories[memory].Bytes - bytes.Length;
            bool isActive = Chance(50) && (room >= 0 || Chance(1));
            Node? offset = isActive ? OffsetOf(_plan.Memories[memory].Is64, Chance(98) ? _random.Next((int)Math.Max(room + 1, 1)) : (int)room + 1) : null;
            _plan.Data.Add(new DataPlan(isActive ? SegmentMode.Active : SegmentMode.Passive, memory, offset, bytes));
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
        Node[] arguments = [.. type.Parameters.ToArray().Select(ConstantOf)];
        Node node = element is (int table, int at)
            ? new Node
            {
                Opcode = Opcode.CallIndirect,
                Results = type.Results.ToArray(),
                Operands = [.. arguments, _plan.Tables[table].Is64 ? EdgeValues.I64(at) : EdgeValues.I32(at)],
                Immediates = BinaryWriter.BytesOf(writer => writer.Unsigned(_plan.TypeIndexOf(type)).Unsigned(table)),
            }
            : new Node { Opcode = Opcode.Call, Results = type.Results.ToArray(), Operands = [.. arguments], Immediates = Index(function) };
        List<Node> body = AddFunction(new FunctionType([], []), [.. EntryLocals], name).Root.Bodies[0];
        body.Add(new Node { Opcode = Opcode.GlobalSet, Operands = [EdgeValues.I32(OneOf<int>([20, 60, 200, 500]))], Immediates = Index(FuelGlobal), IsFixed = true });
        while (node.Results.Length > 0)
        {
            node = FunctionGenerator.Show(node, vectorScratch: 0);
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
        List<Node> body = AddFunction(new FunctionType([], []), [.. EntryLocals], Name).Root.Bodies[0];
        for (int global = 0; global < _plan.GlobalCount; global++)
        {
            body.Add(FunctionGenerator.Show(new Node { Opcode = Opcode.GlobalGet, Results = [_plan.GlobalTypeOf(global).ValueType], Immediates = Index(global) }, vectorScratch: 0, isFixed: true));
        }

        for (int memory = 0; memory < _plan.Memories.Count; memory++)
        {
            body.Add(FunctionGenerator.Show(
                new Node { Opcode = Opcode.MemorySize, Results = [_plan.Memories[memory].AddressType], Immediates = Index(memory) }, vectorScratch: 0, isFixed: true));
        }

        for (int table = 0; table < _plan.Tables.Count; table++)
        {
            TablePlan plan = _plan.Tables[table];
            body.Add(FunctionGenerator.Show(new Node { Opcode = Opcode.TableSize, Results = [plan.IndexType], Immediates = Index(table) }, vectorScratch: 0, isFixed: true));
            for (int element = 0; element < plan.Minimum; element++)
            {
                Node index = plan.Is64 ? EdgeValues.I64(element) : EdgeValues.I32(element);
                body.Add(FunctionGenerator.Show(
                    new Node { Opcode = Opcode.TableGet, Results = [plan.ElementType], Operands = [index], Immediates = Index(table) }, vectorScratch: 0, isFixed: true));
            }
        }

        _plan.Calls.Insert(_plan.Calls.Count(call => call.StartsWith("call", StringComparison.Ordinal)), Name);
        _plan.Calls.Add(Name);
    }

    // What is called from outside has a local for vectors only.
    private ValType[] EntryLocals => Has(Features.Vectors) ? [ValType.V128] : [];

    private static byte[] Index(int index) => BinaryWriter.BytesOf(writer => writer.Unsigned(index));
}
