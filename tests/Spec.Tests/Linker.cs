using Everheap.Vm.Execution;
using Everheap.Vm.Modules;
using Everheap.Vm.Wasi;

namespace Everheap.Spec.Tests;

/// <summary>What a module's imports are linked to.</summary>
/// <param name="Functions">The functions, in order.</param>
/// <param name="Globals">The globals' values, in order, in units of 8 bytes.</param>
/// <param name="Owners">The instances whose functions are among them.</param>
internal sealed record LinkedImports(HostFunction[] Functions, ulong[] Globals, IReadOnlyCollection<ScriptInstance> Owners);

/// <summary>
/// Gives modules what they import: from the suite's module "spectest", or from instances that the script registered. The virtual
/// machine itself takes functions and immutable globals from its host, and nothing else; an imported memory or table of "spectest" becomes
/// the instance's own, as no script looks for what one module left there for another.
/// </summary>
internal sealed class Linker
{
    public const string SharedState = "memory, table or mutable global shared between modules";
    public const string SharedReference = "reference shared between modules";
    public const string ImportNotThere = "import of a module that was left out";

    private const string TestModule = "spectest";
    private const int PrintedParametersMax = 2;

    private static readonly MemoryType TestMemory = new(new Limits(1, 2));
    private static readonly TableType TestTable = new(ValType.FuncRef, new Limits(10, 20));

    private readonly Dictionary<string, ScriptInstance> _registered = new(StringComparer.Ordinal);
    private string? _foreignTrap;

    public void Register(string name, ScriptInstance? instance)
    {
        _registered.Remove(name);
        if (instance is not null)
        {
            _registered.Add(name, instance);
        }
    }

    /// <summary>The trap of another instance that ended a call between instances, once.</summary>
    public string? TakeForeignTrap()
    {
        string? trap = _foreignTrap;
        _foreignTrap = null;
        return trap;
    }

    /// <summary>Marks the instances that a module may have meant to change as in doubt: those whose names its text holds.</summary>
    public void DoubtThoseNamedIn(string text)
    {
        foreach ((string name, ScriptInstance instance) in _registered)
        {
            if (text.Contains($"\"{name}\"", StringComparison.Ordinal))
            {
                instance.Doubt();
            }
        }
    }

    public LinkedImports Link(Module module)
    {
        var owners = new HashSet<ScriptInstance>();
        var functions = new List<HostFunction>();
        var globals = new List<ulong>();
        foreach (Import import in module.Imports)
        {
            switch (import.Kind)
            {
                case ExternalKind.Function:
                    functions.Add(new HostFunction(module.FunctionTypeOf(import.Index), FunctionFor(import, module.FunctionTypeOf(import.Index), owners)));
                    break;
                case ExternalKind.Global:
                    globals.AddRange(GlobalFor(import, module.Globals[import.Index]));
                    break;
                default:
                    if (import.ModuleName != TestModule)
                    {
                        throw new LeftOutException(SharedState);
                    }

                    break;
            }
        }

        OwnWhatTestModuleGives(module);
        return new LinkedImports([.. functions], [.. globals], owners);
    }

    private static void OwnWhatTestModuleGives(Module module)
    {
        if (module.ImportedMemoryCount > 0)
        {
            module.Memories = [TestMemory];
            module.ImportedMemoryCount = 0;
        }

        module.Tables = [.. module.Tables.Select((table, index) => index < module.ImportedTableCount ? TestTable : table)];
        module.ImportedTableCount = 0;
    }

    private WasiFunctionBody FunctionFor(Import import, FunctionType type, HashSet<ScriptInstance> owners)
    {
        if (import.ModuleName == TestModule)
        {
            return import.Name.StartsWith("print", StringComparison.Ordinal) && type.Parameters.Length <= PrintedParametersMax
                ? static (_, _, _) => HostOutcome.Completed
                : throw new InvalidOperationException($"\"spectest\" has no function \"{import.Name}\"");
        }

        ScriptInstance owner = OwnerOf(import);
        int function = owner.ExportNamed(import.Name, ExternalKind.Function).Index;
        if (Holds(type.Parameters, ValType.FuncRef) || Holds(type.Results, ValType.FuncRef))
        {
            throw new LeftOutException(SharedReference);
        }

        owners.Add(owner);
        return (_, arguments, results) =>
        {
            CallOutcome outcome = owner.Call(function, arguments);
            if (outcome.Trap is not null)
            {
                _foreignTrap = outcome.Trap;
                return HostOutcome.Trap;
            }

            outcome.Results.CopyTo(results);
            return HostOutcome.Completed;
        };
    }

    private ulong[] GlobalFor(Import import, GlobalType type)
    {
        if (type.IsMutable)
        {
            throw new LeftOutException(SharedState);
        }

        if (import.ModuleName == TestModule)
        {
            return type.ValueType switch
            {
                ValType.F32 => [BitConverter.SingleToUInt32Bits(666.6f)],
                ValType.F64 => [BitConverter.DoubleToUInt64Bits(666.6)],
                _ => [666],
            };
        }

        ScriptInstance owner = OwnerOf(import);
        return type.ValueType == ValType.FuncRef
            ? throw new LeftOutException(SharedReference)
            : owner.GlobalAt(owner.ExportNamed(import.Name, ExternalKind.Global).Index);
    }

    private ScriptInstance OwnerOf(Import import) =>
        _registered.TryGetValue(import.ModuleName, out ScriptInstance? owner) ? owner : throw new LeftOutException(ImportNotThere);

    private static bool Holds(ReadOnlySpan<ValType> types, ValType type) => types.Contains(type);
}
