using Everheap.Vm.Execution;
using Everheap.Vm.Modules;
using Everheap.Vm.Wasi;

namespace Everheap.Vm.Embedding;

/// <summary>
/// Gives instances what they import, by two names. Host functions may be given to any number of machines; what belongs to a machine (instances, memories, tables, globals, functions of guests), to that machine alone.
/// Used by one thread at a time.
/// </summary>
public sealed class Linker
{
    private readonly Dictionary<(string ModuleName, string Name), Func<Machine, External>> _items = [];
    private readonly Dictionary<string, Instance> _instances = new(StringComparer.Ordinal);
    private bool _hasWasi;

    /// <summary>Defines a host function.</summary>
    /// <param name="moduleName">The first name.</param>
    /// <param name="name">The second name.</param>
    /// <param name="function">
    /// What it does: a delegate of any type. Parameters and results are int or uint for i32, long or ulong for i64, float, double, <see cref="System.Runtime.Intrinsics.Vector128{T}"/> of bytes for v128, <see cref="Function"/> for
    /// funcref, <see cref="ExternalReference"/> for externref; several results are a tuple. A first parameter of type <see cref="Caller"/> is given the guest that calls. What it throws comes out, as the same object, where the guest was called from.
    /// </param>
    /// <exception cref="ArgumentException">A parameter or result is of another type, or the names are taken.</exception>
    public void Define(string moduleName, string name, Delegate function)
    {
        HostFunction host = HostDelegates.ToHostFunction(moduleName, name, function);
        Add(moduleName, name, _ => host);
    }

    /// <summary>Defines a function of a machine.</summary>
    /// <param name="moduleName">The first name.</param>
    /// <param name="name">The second name.</param>
    /// <param name="function">The function.</param>
    /// <exception cref="ArgumentException">The names are taken.</exception>
    public void Define(string moduleName, string name, Function function)
    {
        ArgumentNullException.ThrowIfNull(function);
        Add(moduleName, name, function.Machine, function.Owner.FunctionAt(function.Index));
    }

    /// <summary>Defines a memory.</summary>
    /// <param name="moduleName">The first name.</param>
    /// <param name="name">The second name.</param>
    /// <param name="memory">The memory.</param>
    /// <exception cref="ArgumentException">The names are taken.</exception>
    public void Define(string moduleName, string name, Memory memory)
    {
        ArgumentNullException.ThrowIfNull(memory);
        Add(moduleName, name, memory.Machine, new ExternalMemory(memory.Linear));
    }

    /// <summary>Defines a table.</summary>
    /// <param name="moduleName">The first name.</param>
    /// <param name="name">The second name.</param>
    /// <param name="table">The table.</param>
    /// <exception cref="ArgumentException">The names are taken.</exception>
    public void Define(string moduleName, string name, Table table)
    {
        ArgumentNullException.ThrowIfNull(table);
        Add(moduleName, name, table.Machine, new ExternalTable(table.Elements));
    }

    /// <summary>Defines a global.</summary>
    /// <param name="moduleName">The first name.</param>
    /// <param name="name">The second name.</param>
    /// <param name="global">The global.</param>
    /// <exception cref="ArgumentException">The names are taken.</exception>
    public void Define(string moduleName, string name, Global global)
    {
        ArgumentNullException.ThrowIfNull(global);
        Add(moduleName, name, global.Machine, global.External);
    }

    /// <summary>Defines a tag.</summary>
    /// <param name="moduleName">The first name.</param>
    /// <param name="name">The second name.</param>
    /// <param name="tag">The tag.</param>
    /// <exception cref="ArgumentException">The names are taken.</exception>
    public void Define(string moduleName, string name, Tag tag)
    {
        ArgumentNullException.ThrowIfNull(tag);
        Add(moduleName, name, tag.Machine, tag.External);
    }

    /// <summary>Defines everything that an instance exports.</summary>
    /// <param name="moduleName">The first name for all of it.</param>
    /// <param name="instance">The instance.</param>
    /// <exception cref="ArgumentException">The name is that of an instance already.</exception>
    public void Define(string moduleName, Instance instance)
    {
        ArgumentNullException.ThrowIfNull(moduleName);
        ArgumentNullException.ThrowIfNull(instance);
        if (!_instances.TryAdd(moduleName, instance))
        {
            throw new ArgumentException($"'{moduleName}' is defined already", nameof(moduleName));
        }
    }

    /// <summary>Defines the functions of WASI preview 1, for machines that have them (<see cref="MachineOptions.Wasi"/>).</summary>
    public void DefineWasi() => _hasWasi = true;

    /// <summary>Makes an instance, and runs the module's start function.</summary>
    /// <param name="machine">The machine that it will belong to.</param>
    /// <param name="module">The module.</param>
    /// <param name="name">A name by which <see cref="Machine.GetInstance"/> finds it, also when the machine is opened again.</param>
    /// <returns>The instance.</returns>
    /// <exception cref="LinkException">An import is not defined, or does not fit; or a limit of the machine forbids it. Nothing has changed.</exception>
    /// <exception cref="WasmFormatException">The module uses a feature that cannot be run.</exception>
    /// <exception cref="WasmTrapException">A segment does not fit its memory or table, or the start function trapped. What was written before that, to memories and tables of others too, stays.</exception>
    public Instance Instantiate(Machine machine, Module module, string name = "")
    {
        ArgumentNullException.ThrowIfNull(machine);
        ArgumentNullException.ThrowIfNull(module);
        ArgumentNullException.ThrowIfNull(name);
        Unsupported.ThrowIfNotRunnable(module);
        External[] imports = [.. module.Imports.Select(import => Find(machine, module, import))];
        Instance instance = machine.Add(module, imports, name);
        if (module.StartFunction is int start)
        {
            instance.FunctionAt(start).Call();
        }

        return instance;
    }

    internal HostFunction FindHostFunction(Machine machine, (string ModuleName, string Name) names, FunctionType type)
    {
        HostFunction? found = _items.TryGetValue(names, out Func<Machine, External>? item) ? item(machine) as HostFunction : FindWasi(machine, names.ModuleName, names.Name);
        if (found is null)
        {
            throw new LinkException($"an instance imports the host function {names.ModuleName}.{names.Name}, which the linker does not define");
        }

        return found.Type.Equals(type) ? found : throw new LinkException($"an instance imports the host function {names.ModuleName}.{names.Name} as {type}; the linker has it as {found.Type}");
    }

    private External Find(Machine machine, Module module, Import import)
    {
        External? found =
            _items.TryGetValue((import.ModuleName, import.Name), out Func<Machine, External>? item) ? item(machine)
            : _instances.TryGetValue(import.ModuleName, out Instance? instance) ? FindExport(machine, import, instance)
            : FindWasi(machine, import.ModuleName, import.Name);
        if (found is null)
        {
            throw new LinkException($"the module imports {ImportMatching.NameOf(import.Kind)} {ImportMatching.NameOf(import)}, which is not defined");
        }

        return ImportMatching.WhyNot(machine.Group.Types, module, import, found) is string reason ? throw new LinkException(reason) : found;
    }

    private static External? FindExport(Machine machine, Import import, Instance instance) => instance.Machine == machine
        ? instance.FindExternal(import.Name)
        : throw OtherMachine(import.ModuleName, import.Name);

    private HostFunction? FindWasi(Machine machine, string moduleName, string name)
    {
        if (!_hasWasi || moduleName != WasiHost.ModuleName)
        {
            return null;
        }

        return machine.Wasi is WasiHost wasi
            ? wasi.Find(name)?.ToHostFunction()
            : throw new LinkException($"the module imports {moduleName}.{name}, and the machine has no {nameof(MachineOptions)}.{nameof(MachineOptions.Wasi)}");
    }

    private void Add(string moduleName, string name, Machine owner, External external) =>
        Add(moduleName, name, machine => machine == owner ? external : throw OtherMachine(moduleName, name));

    private void Add(string moduleName, string name, Func<Machine, External> item)
    {
        ArgumentNullException.ThrowIfNull(moduleName);
        ArgumentNullException.ThrowIfNull(name);
        if (!_items.TryAdd((moduleName, name), item))
        {
            throw new ArgumentException($"{moduleName}.{name} is defined already", nameof(name));
        }
    }

    private static LinkException OtherMachine(string moduleName, string name) => new($"{moduleName}.{name} belongs to another machine");
}
