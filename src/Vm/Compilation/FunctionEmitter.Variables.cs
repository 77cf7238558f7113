using System.Reflection;
using System.Reflection.Emit;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <content>Variables of which a function may need many. In a shell (<see cref="Shell"/>), where locals are few, four of a type share one.</content>
internal sealed partial class FunctionEmitter
{
    private static readonly string[] QuadFields = [nameof(LocalQuad<>.A), nameof(LocalQuad<>.B), nameof(LocalQuad<>.C), nameof(LocalQuad<>.D)];

    /// <summary>Variables that a function may have; the IL allows for 65,535 locals, of which some are for the moment.</summary>
    private const int VariablesMax = 65_000;

    private readonly Dictionary<Type, (LocalBuilder Local, int Used)> _quads = [];

    private readonly Dictionary<Type, LocalBuilder> _storing = [];

    /// <summary>A local, or a field of one.</summary>
    private readonly record struct Variable(LocalBuilder Local, FieldInfo? Field, Type Type);

    private Variable DeclareVariable(Type type)
    {
        if (!_isInShell)
        {
            LocalBuilder local = _il.DeclareLocal(type);
            return local.LocalIndex < VariablesMax
                ? new Variable(local, null, type)
                : throw new WasmFormatException(
                    _code.BodyStart, $"function {_code.FunctionIndex} has too many locals and operands that are kept over calls, loops and blocks (more than {VariablesMax})");
        }

        Type quad = typeof(LocalQuad<>).MakeGenericType(type);
        if (!_quads.TryGetValue(type, out (LocalBuilder Local, int Used) last) || last.Used == QuadFields.Length)
        {
            last = (_il.DeclareLocal(quad), 0);
        }

        _quads[type] = (last.Local, last.Used + 1);
        return new Variable(last.Local, quad.GetField(QuadFields[last.Used]), type);
    }

    private void Load(in Variable variable)
    {
        if (variable.Field is null)
        {
            _il.LoadLocal(variable.Local);
            return;
        }

        _il.Emit(OpCodes.Ldloca, variable.Local);
        _il.Emit(OpCodes.Ldfld, variable.Field);
    }

    // The value is on the evaluation stack.
    private void Store(in Variable variable)
    {
        if (variable.Field is null)
        {
            _il.StoreLocal(variable.Local);
            return;
        }

        if (!_storing.TryGetValue(variable.Type, out LocalBuilder? value))
        {
            value = _il.DeclareLocal(variable.Type);
            _storing.Add(variable.Type, value);
        }

        _il.StoreLocal(value);
        _il.Emit(OpCodes.Ldloca, variable.Local);
        _il.LoadLocal(value);
        _il.Emit(OpCodes.Stfld, variable.Field);
    }
}
