namespace Everheap.Vm.Modules;

/// <content>The code section (core specification, section 5.5.13).</content>
internal sealed partial class ModuleDecoder
{
    private const int BodyBytesMin = 1;
    private const int LocalGroupBytesMin = 2;

    private void ReadCode(ref ByteReader reader)
    {
        int offset = reader.Offset;
        var bodies = new FunctionBody[reader.ReadCount("function bodies", ModuleLimits.FunctionsMax, BodyBytesMin)];
        _bodyCount = bodies.Length;
        if (_bodyCount != _declaredFunctionCount)
        {
            throw new WasmFormatException(
                offset, $"function and code section have inconsistent lengths: {_declaredFunctionCount:N0} functions, {_bodyCount:N0} bodies");
        }

        ReadOnlySpan<byte> bytes = _module.Bytes.Span;
        for (int i = 0; i < bodies.Length; i++)
        {
            offset = reader.Offset;
            int size = reader.ReadByteCount("a function body");
            if (size > ModuleLimits.FunctionBytesMax)
            {
                throw new WasmFormatException(
                    offset, $"the function body is too large: {size:N0} bytes, where at most {ModuleLimits.FunctionBytesMax:N0} are allowed");
            }

            int start = reader.Offset;
            reader.ReadBytes(size, "a function body");
            FunctionType type = _module.FunctionTypeAt(_functionTypes[_module.ImportedFunctionCount + i]);
            bodies[i] = ReadBody(new ByteReader(bytes, start, start + size), type);
        }

        _module.Bodies = bodies;
    }

    private FunctionBody ReadBody(ByteReader reader, FunctionType type)
    {
        // Twice over the groups: the sum is checked before anything is allocated for it.
        int offset = reader.Offset;
        int groupCount = reader.ReadCount("groups of locals", int.MaxValue, LocalGroupBytesMin);
        ByteReader groups = reader;
        ulong total = (uint)type.Parameters.Length;
        for (int i = 0; i < groupCount; i++)
        {
            total += reader.ReadU32("a number of locals");
            int typeOffset = reader.Offset;
            Resolve(TypeReader.ReadValueType(ref reader), typeOffset);
        }

        if (total > ModuleLimits.LocalsMax)
        {
            throw new WasmFormatException(
                offset, $"too many locals: the function has {total:N0} with its parameters, where at most {ModuleLimits.LocalsMax:N0} are allowed");
        }

        _localsInModule += (int)total;
        CheckTotal("locals in all functions", _localsInModule, ModuleLimits.LocalsInModuleMax, offset);
        ValType[] locals = total == 0 ? [] : new ValType[total];
        type.Parameters.CopyTo(locals);
        int filled = type.Parameters.Length;
        for (int i = 0; i < groupCount; i++)
        {
            int count = (int)groups.ReadU32("a number of locals");
            locals.AsSpan(filled, count).Fill(_module.Canonical(TypeReader.ReadValueType(ref groups)));
            filled += count;
        }

        return new FunctionBody(locals, reader.Offset, reader.End, offset);
    }
}
