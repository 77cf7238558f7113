using Everheap.Vm;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;
using Everheap.Vm.Wasi;

namespace Everheap.Spec.Tests;

/// <summary>
/// Gives modules what they import: from the suite's module "spectest", or from instances that the script registered. "spectest" is as in the reference interpreter: an instance with a memory, a table and
/// globals that all modules of a script share, and functions of the host.
/// </summary>
internal sealed class Linker
{
    private const string TestModule = "spectest";

    private const string TestModuleText = """
        (module
          (global (export "global_i32") i32 (i32.const 666))
          (global (export "global_i64") i64 (i64.const 666))
          (global (export "global_f32") f32 (f32.const 666.6))
          (global (export "global_f64") f64 (f64.const 666.6))
          (table (export "table") 10 20 funcref)
          (table (export "table64") i64 10 20 funcref)
          (memory (export "memory") 1 2))
        """;

    private static readonly Dictionary<(string, string), HostFunction> HostFunctions = new[]
    {
        Print("print"),
        Print("print_i32", ValType.I32),
        Print("print_i64", ValType.I64),
        Print("print_f32", ValType.F32),
        Print("print_f64", ValType.F64),
        Print("print_i32_f32", ValType.I32, ValType.F32),
        Print("print_f64_f64", ValType.F64, ValType.F64),
    }.ToDictionary(function => function.Names);

    private readonly Dictionary<string, ScriptInstance> _registered = new(StringComparer.Ordinal);
    private readonly HashSet<string> _leftOut = new(StringComparer.Ordinal);

    /// <summary>The module with what "spectest" has beside functions.</summary>
    public static ModuleSource TestModuleSource => ModuleSource.OfText(TestModuleText);

    /// <summary>Gives host functions to a script's machine that is opened again.</summary>
    public static HostFunction FindHostFunction((string ModuleName, string Name) names, FunctionType type) => HostFunctions[names];

    /// <summary>Registers an instance under a name; null where its module was left out.</summary>
    public void Register(string name, ScriptInstance? instance)
    {
        _registered.Remove(name);
        _leftOut.Remove(name);
        if (instance is not null)
        {
            _registered.Add(name, instance);
        }
        else
        {
            _leftOut.Add(name);
        }
    }

    /// <summary>Makes the instance "spectest".</summary>
    public void RegisterTestModule(ScriptInstance instance) => Register(TestModule, instance);

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

    /// <summary>The instances that a module imports from.</summary>
    public HashSet<ScriptInstance> OwnersOf(Module module) =>
        [.. module.Imports.Where(import => _registered.ContainsKey(import.ModuleName)).Select(import => _registered[import.ModuleName])];

    /// <summary>What a module's imports are given, in order.</summary>
    /// <exception cref="LinkException">There is no such thing, or it does not fit.</exception>
    /// <exception cref="LeftOutException">It would be of a module that was left out.</exception>
    public External[] Link(Module module, TypeUniverse types) => [.. module.Imports.Select(import => Find(module, import, types))];

    private External Find(Module module, Import import, TypeUniverse types)
    {
        if (_leftOut.Contains(import.ModuleName))
        {
            throw new LeftOutException(ScriptRunner.ModuleLeftOut);
        }

        External? found = HostFunctions.GetValueOrDefault((import.ModuleName, import.Name));
        if (found is null && _registered.TryGetValue(import.ModuleName, out ScriptInstance? owner))
        {
            found = owner.FindExport(import.Name);
        }

        if (found is null)
        {
            throw new LinkException($"unknown import {import.ModuleName}.{import.Name}");
        }

        return ImportMatching.WhyNot(types, module, import, found) is string reason ? throw new LinkException($"incompatible import type: {reason}") : found;
    }

    private static HostFunction Print(string name, params ValType[] parameters) =>
        new(new FunctionType(parameters, []), static (_, _, _) => HostOutcome.Completed) { Names = (TestModule, name) };
}
