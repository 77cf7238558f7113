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
        ValidateTypes(context);
        var functions = new FunctionValidator(context);
        ValidateTables(module, functions);
        for (int i = 0; i < module.GlobalDeclarations.Count; i++)
        {
            GlobalDeclaration global = module.GlobalDeclarations[i];
            functions.ValidateConstant(global.Initializer, global.Type.ValueType, "a global's initial value", module.ImportedGlobalCount + i);
        }

        foreach (ElementSegment segment in module.Elements)
        {
            ValidateElements(segment, context, functions);
        }

        foreach (DataSegment segment in module.Data)
        {
            if (segment.Mode == SegmentMode.Active)
            {
                functions.ValidateConstant(segment.Offset, context.Memories[segment.MemoryIndex].AddressType, "a data segment's offset", context.Globals.Length);
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
        BodyValidator.Validate(context, functions);
    }

    // Equivalent types are one, and looked at once.
    private static void ValidateTypes(ValidationContext context)
    {
        for (int i = 0; i < context.Types.Length; i++)
        {
            TypeDefinition type = context.Types[i];
            if (type.Supertype is not int above || context.Module.CanonicalTypeIndex(i) != i)
            {
                continue;
            }

            TypeDefinition super = context.Types[above];
            if (super.IsFinal)
            {
                throw new WasmFormatException(context.Module.TypeSectionOffset, $"sub type {i} of type {above}, which is final");
            }

            if (!context.Subtypes.IsSubtype(type.Type, super.Type))
            {
                throw new WasmFormatException(
                    context.Module.TypeSectionOffset, $"sub type {i} does not match super type {above}: {type.Type} is no subtype of {super.Type}");
            }
        }
    }

    private static void ValidateTables(Module module, FunctionValidator functions)
    {
        for (int i = 0; i < module.TableDeclarations.Count; i++)
        {
            TableDeclaration table = module.TableDeclarations[i];
            if (table.Initializer is ConstantExpression initializer)
            {
                functions.ValidateConstant(initializer, table.Type.ElementType, "a table's initial value", module.ImportedGlobalCount);
            }
            else if (!table.Type.ElementType.IsDefaultable)
            {
                throw new WasmFormatException(
                    module.TableSectionOffset,
                    $"type mismatch: table {module.ImportedTableCount + i} of {ValTypes.NameOf(table.Type.ElementType)} has no initial value, where one was expected");
            }
        }
    }

    private static void ValidateElements(ElementSegment segment, ValidationContext context, FunctionValidator functions)
    {
        if (segment.Mode == SegmentMode.Active)
        {
            TableType table = context.Tables[segment.TableIndex];
            if (!context.Subtypes.IsSubtype(segment.ElementType, table.ElementType))
            {
                throw new WasmFormatException(
                    segment.Offset.Start,
                    $"type mismatch: an element segment of {ValTypes.NameOf(segment.ElementType)} for table {segment.TableIndex} of {ValTypes.NameOf(table.ElementType)}");
            }

            functions.ValidateConstant(segment.Offset, table.AddressType, "an element segment's offset", context.Globals.Length);
        }

        foreach (int function in segment.Functions ?? [])
        {
            context.Declare(function);
        }

        foreach (ConstantExpression expression in segment.Expressions ?? [])
        {
            functions.ValidateConstant(expression, segment.ElementType, "an element", context.Globals.Length);
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
