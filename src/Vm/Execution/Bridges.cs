using System.Globalization;
using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.InteropServices;
using Everheap.Vm.Compilation;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Execution;

/// <summary>
/// Methods by which an indirect call reaches a function of another instance. Its caller passes its own context, as to any function; the bridge puts the callee's in the place of that, and jumps.
/// One for each function that a table of another instance holds.
/// </summary>
internal sealed unsafe class Bridges : IDisposable
{
    private readonly Dictionary<(Instance Owner, int Function), Bridge> _bridges = [];
    private readonly List<nint> _cells = [];
    private ModuleBuilder? _builder;
    private int _batches;

    /// <summary>A bridge: where it finds its callee, and where it begins.</summary>
    private readonly record struct Bridge(nint Cell, nint Entry);

    /// <summary>The entry point of the bridge to a function, which takes any context.</summary>
    public nint EntryOf(Instance owner, int function)
    {
        if (!_bridges.ContainsKey((owner, function)))
        {
            Prepare([(owner, function)]);
        }

        return _bridges[(owner, function)].Entry;
    }

    /// <summary>Makes bridges that are not there yet: at once, since a batch is one type.</summary>
    public void Prepare(IEnumerable<(Instance Owner, int Function)> functions)
    {
        List<(Instance Owner, int Function)> missing = [.. functions.Distinct().Where(function => !_bridges.ContainsKey(function))];
        if (missing.Count == 0)
        {
            return;
        }

        _builder ??= CodeType.BeginAssembly(AssemblyBuilder.DefineDynamicAssembly(new AssemblyName("Everheap.Bridges"), AssemblyBuilderAccess.RunAndCollect));
        TypeBuilder type = _builder.DefineType(
            string.Create(CultureInfo.InvariantCulture, $"Batch{_batches++}"), TypeAttributes.Public | TypeAttributes.Abstract | TypeAttributes.Sealed);
        var cells = (FunctionCell*)NativeMemory.AllocZeroed((nuint)missing.Count, (nuint)sizeof(FunctionCell));
        _cells.Add((nint)cells);
        for (int index = 0; index < missing.Count; index++)
        {
            Emit(type, NameOf(index), missing[index].Owner.Module.FunctionTypeOf(missing[index].Function), cells + index);
        }

        Type batch = type.CreateType();
        for (int index = 0; index < missing.Count; index++)
        {
            cells[index] = missing[index].Owner.CellOf(missing[index].Function);
            _bridges.Add(missing[index], new Bridge((nint)(cells + index), batch.GetMethod(NameOf(index))!.MethodHandle.GetFunctionPointer()));
        }
    }

    /// <summary>Finds out anew where the functions begin: another compilation has other entry points.</summary>
    public void Refresh()
    {
        foreach (((Instance owner, int function), Bridge bridge) in _bridges)
        {
            *(FunctionCell*)bridge.Cell = owner.CellOf(function);
        }
    }

    public void Dispose()
    {
        foreach (nint cells in _cells)
        {
            NativeMemory.Free((void*)cells);
        }

        _cells.Clear();
        _bridges.Clear();
    }

    private static string NameOf(int index) => string.Create(CultureInfo.InvariantCulture, $"b{index}");

    private static void Emit(TypeBuilder type, string name, FunctionType signature, FunctionCell* cell)
    {
        MethodBuilder method = type.DefineMethod(
            name, MethodAttributes.Public | MethodAttributes.Static, ModuleCompiler.ReturnTypeOf(signature), ModuleCompiler.ParameterTypesOf(signature));
        method.SetImplementationFlags(MethodImplAttributes.IL | MethodImplAttributes.AggressiveOptimization);
        ILGenerator il = method.GetILGenerator(64);
        LocalBuilder place = il.DeclareLocal(typeof(nint));
        il.Emit(OpCodes.Ldc_I8, (long)cell);
        il.Emit(OpCodes.Conv_I);
        il.Emit(OpCodes.Stloc, place);
        ImportEmitter.EmitCellCall(place, signature, il);
    }
}
