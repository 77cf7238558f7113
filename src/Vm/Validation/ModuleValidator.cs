using Everheap.Vm.Modules;

namespace Everheap.Vm.Validation;

/// <summary>
/// Validates a decoded module (core specification, section 3.4). Indices of types, imports, exports and segments were held against
/// their index spaces while they were decoded; what is left are types, references and code.
/// </summary>
internal static class ModuleValidator
{
    /// <summary>Validates a module.</summary>
    /// <param name="module">The decoded module.</param>
    /// <exception cref="WasmFormatException">It is invalid.</exception>
    public static void Validate(Module module)
    {
        var context = new ValidationContext(module);
        var constants = new ConstantExpressionValidator(context);
        foreach (GlobalDeclaration global in module.GlobalDeclarations)
        {
            constants.Validate(global.Initializer, global.Type.ValueType, "a global's initial value");
        }

        foreach (ElementSegment segment in module.Elements)
        {
            ValidateElements(segment, context, constants);
        }

        foreach (DataSegment segment in module.Data)
        {
            if (segment.Mode == SegmentMode.Active)
            {
                constants.Validate(segment.Offset, ValType.I32, "a data segment's offset");
            }
        }

        foreach (Export export in module.Exports)
        {
            if (export.Kind == ExternalKind.Function)
            {
                context.Declare(export.Index);
            }
        }

        ValidateStart(module);
        var functions = new FunctionValidator(context);
        for (int i = 0; i < module.Bodies.Count; i++)
        {
            functions.Validate(module.ImportedFunctionCount + i, module.Bodies[i]);
        }
    }

    private static void ValidateElements(ElementSegment segment, ValidationContext context, ConstantExpressionValidator constants)
    {
        if (segment.Mode == SegmentMode.Active)
        {
            ValType tableType = context.Tables[segment.TableIndex].ElementType;
            if (tableType != segment.ElementType.AsNullable())
            {
                throw new WasmFormatException(
                    segment.Offset.Start,
                    $"type mismatch: an element segment of {ValTypes.NameOf(segment.ElementType)} for table {segment.TableIndex} of {ValTypes.NameOf(tableType)}");
            }

            constants.Validate(segment.Offset, ValType.I32, "an element segment's offset");
        }

        foreach (int function in segment.Functions ?? [])
        {
            context.Declare(function);
        }

        foreach (ConstantExpression expression in segment.Expressions ?? [])
        {
            constants.Validate(expression, segment.ElementType, "an element");
        }
    }

    private static void ValidateStart(Module module)
    {
        if (module.StartFunction is not int start)
        {
            return;
        }

        if (start >= module.FunctionTypes.Count)
        {
            throw new WasmFormatException(
                module.StartSectionOffset, $"unknown function {start} as start function: the module has {module.FunctionTypes.Count:N0}");
        }

        FunctionType type = module.FunctionTypeOf(start);
        if (type.Parameters.Length != 0 || type.Results.Length != 0)
        {
            throw new WasmFormatException(
                module.StartSectionOffset, $"start function: function {start} has the type {type}, where () -> () was expected");
        }
    }
}
