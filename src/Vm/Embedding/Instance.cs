using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Embedding;

/// <summary>An instance of a module in a machine. What is exported under a name is found by its kind, and a <see cref="LinkException"/> says what is there otherwise.</summary>
public sealed class Instance
{
    private readonly Execution.Instance _instance;

    internal Instance(Machine machine, Execution.Instance instance)
    {
        Machine = machine;
        _instance = instance;
    }

    /// <summary>The machine that it belongs to.</summary>
    public Machine Machine { get; }

    /// <summary>Its module.</summary>
    public Module Module => _instance.Module;

    /// <summary>The name that it was given when it was made; empty for none.</summary>
    public string? Name => _instance.Name;

    /// <summary>A function that it exports.</summary>
    /// <param name="name">The name.</param>
    /// <returns>The function.</returns>
    /// <exception cref="LinkException">There is no function of that name.</exception>
    public Function GetFunction(string name) => Find<Function>(name);

    /// <summary>A delegate for a function that it exports.</summary>
    /// <typeparam name="TResult">The type of its result: a tuple for several.</typeparam>
    /// <param name="name">The name.</param>
    /// <returns>The delegate; see <see cref="Function.ToDelegate"/>.</returns>
    /// <exception cref="LinkException">There is no function of that name, or it has another type.</exception>
    public Func<TResult> GetFunction<TResult>(string name) => GetFunction(name).ToDelegate<Func<TResult>>();

    /// <inheritdoc cref="GetFunction{TResult}(string)"/>
    /// <typeparam name="T1">The type of its parameter.</typeparam>
    /// <typeparam name="TResult">The type of its result: a tuple for several.</typeparam>
    public Func<T1, TResult> GetFunction<T1, TResult>(string name) => GetFunction(name).ToDelegate<Func<T1, TResult>>();

    /// <inheritdoc cref="GetFunction{TResult}(string)"/>
    /// <typeparam name="T1">The type of its first parameter.</typeparam>
    /// <typeparam name="T2">The type of its second parameter.</typeparam>
    /// <typeparam name="TResult">The type of its result: a tuple for several.</typeparam>
    public Func<T1, T2, TResult> GetFunction<T1, T2, TResult>(string name) => GetFunction(name).ToDelegate<Func<T1, T2, TResult>>();

    /// <inheritdoc cref="GetFunction{TResult}(string)"/>
    /// <typeparam name="T1">The type of its first parameter.</typeparam>
    /// <typeparam name="T2">The type of its second parameter.</typeparam>
    /// <typeparam name="T3">The type of its third parameter.</typeparam>
    /// <typeparam name="TResult">The type of its result: a tuple for several.</typeparam>
    public Func<T1, T2, T3, TResult> GetFunction<T1, T2, T3, TResult>(string name) => GetFunction(name).ToDelegate<Func<T1, T2, T3, TResult>>();

    /// <inheritdoc cref="GetFunction{TResult}(string)"/>
    /// <typeparam name="T1">The type of its first parameter.</typeparam>
    /// <typeparam name="T2">The type of its second parameter.</typeparam>
    /// <typeparam name="T3">The type of its third parameter.</typeparam>
    /// <typeparam name="T4">The type of its fourth parameter. For more, see <see cref="Function.ToDelegate"/>.</typeparam>
    /// <typeparam name="TResult">The type of its result: a tuple for several.</typeparam>
    public Func<T1, T2, T3, T4, TResult> GetFunction<T1, T2, T3, T4, TResult>(string name) => GetFunction(name).ToDelegate<Func<T1, T2, T3, T4, TResult>>();

    /// <summary>A delegate for a function without results that it exports.</summary>
    /// <param name="name">The name.</param>
    /// <returns>The delegate; see <see cref="Function.ToDelegate"/>.</returns>
    /// <exception cref="LinkException">There is no function of that name, or it has another type.</exception>
    public Action GetAction(string name) => GetFunction(name).ToDelegate<Action>();

    /// <inheritdoc cref="GetAction(string)"/>
    /// <typeparam name="T1">The type of its parameter.</typeparam>
    public Action<T1> GetAction<T1>(string name) => GetFunction(name).ToDelegate<Action<T1>>();

    /// <inheritdoc cref="GetAction(string)"/>
    /// <typeparam name="T1">The type of its first parameter.</typeparam>
    /// <typeparam name="T2">The type of its second parameter.</typeparam>
    public Action<T1, T2> GetAction<T1, T2>(string name) => GetFunction(name).ToDelegate<Action<T1, T2>>();

    /// <inheritdoc cref="GetAction(string)"/>
    /// <typeparam name="T1">The type of its first parameter.</typeparam>
    /// <typeparam name="T2">The type of its second parameter.</typeparam>
    /// <typeparam name="T3">The type of its third parameter. For more, see <see cref="Function.ToDelegate"/>.</typeparam>
    public Action<T1, T2, T3> GetAction<T1, T2, T3>(string name) => GetFunction(name).ToDelegate<Action<T1, T2, T3>>();

    /// <summary>A memory that it exports.</summary>
    /// <param name="name">The name; most compilers call it <c>memory</c>.</param>
    /// <returns>The memory.</returns>
    /// <exception cref="LinkException">There is no memory of that name.</exception>
    public Memory GetMemory(string name = "memory") => Find<Memory>(name);

    /// <summary>A table that it exports.</summary>
    /// <param name="name">The name.</param>
    /// <returns>The table.</returns>
    /// <exception cref="LinkException">There is no table of that name.</exception>
    public Table GetTable(string name) => Find<Table>(name);

    /// <summary>A global that it exports.</summary>
    /// <param name="name">The name.</param>
    /// <returns>The global.</returns>
    /// <exception cref="LinkException">There is no global of that name.</exception>
    public Global GetGlobal(string name) => Find<Global>(name);

    /// <summary>What it exports under a name.</summary>
    /// <param name="name">The name.</param>
    /// <returns>A <see cref="Function"/>, <see cref="Memory"/>, <see cref="Table"/>, <see cref="Global"/> or <see cref="Tag"/>; null if there is none.</returns>
    public object? FindExport(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        foreach (Export export in Module.Exports)
        {
            if (export.Name == name)
            {
                return Machine.Wrap(_instance.ExternalOf(export.Kind, export.Index), _instance, export.Index);
            }
        }

        return null;
    }

    internal Function FunctionAt(int index) => new(Machine, _instance, index);

    internal External? FindExternal(string name) => _instance.FindExport(name);

    private T Find<T>(string name)
        where T : class => FindExport(name) switch
        {
            T found => found,
            null => throw new LinkException($"the instance exports nothing under the name '{name}'"),
            object other => throw new LinkException($"the instance exports a {other.GetType().Name.ToLowerInvariant()} under the name '{name}', no {typeof(T).Name.ToLowerInvariant()}"),
        };
}
