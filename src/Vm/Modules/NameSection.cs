namespace Everheap.Vm.Modules;

/// <summary>
/// The names for people in a module's name section (core specification, appendix "custom sections"). They are read when first
/// asked for, as most runs never ask; each kind stands for itself, and ends at the first thing that is malformed.
/// </summary>
internal sealed class NameSection(ReadOnlyMemory<byte> module, int start, int end)
{
    private const byte ModuleNameId = 0;
    private const byte FunctionNamesId = 1;
    private const byte LocalNamesId = 2;
    private const int NameAssociationBytesMin = 2;

    private readonly Lazy<string?> _moduleName = new(() => ReadModuleName(module.Span, start, end));
    private readonly Lazy<Dictionary<int, string>> _functionNames = new(() => ReadFunctionNames(module.Span, start, end));
    private readonly Lazy<Dictionary<(int Function, int Local), string>> _localNames = new(() => ReadLocalNames(module.Span, start, end));

    public string? ModuleName => _moduleName.Value;

    public IReadOnlyDictionary<int, string> FunctionNames => _functionNames.Value;

    public IReadOnlyDictionary<(int Function, int Local), string> LocalNames => _localNames.Value;

    private static string? ReadModuleName(ReadOnlySpan<byte> bytes, int start, int end)
    {
        try
        {
            return TryFind(bytes, start, end, ModuleNameId, out ByteReader reader) ? reader.ReadName("the module's name") : null;
        }
        catch (WasmFormatException)
        {
            return null;
        }
    }

    private static Dictionary<int, string> ReadFunctionNames(ReadOnlySpan<byte> bytes, int start, int end)
    {
        var names = new Dictionary<int, string>();
        try
        {
            if (TryFind(bytes, start, end, FunctionNamesId, out ByteReader reader))
            {
                int count = ReadNameCount(ref reader);
                for (int i = 0; i < count && names.Count < ModuleLimits.DebugNamesMax; i++)
                {
                    int function = reader.ReadIndex("function");
                    names[function] = reader.ReadName("a function's name");
                }
            }
        }
        catch (WasmFormatException)
        {
            // A malformed name section makes no module invalid: what was read so far stays.
        }

        return names;
    }

    private static Dictionary<(int Function, int Local), string> ReadLocalNames(ReadOnlySpan<byte> bytes, int start, int end)
    {
        var names = new Dictionary<(int Function, int Local), string>();
        try
        {
            if (TryFind(bytes, start, end, LocalNamesId, out ByteReader reader))
            {
                int functionCount = ReadNameCount(ref reader);
                for (int i = 0; i < functionCount; i++)
                {
                    int function = reader.ReadIndex("function");
                    int localCount = ReadNameCount(ref reader);
                    for (int j = 0; j < localCount && names.Count < ModuleLimits.DebugNamesMax; j++)
                    {
                        int local = reader.ReadIndex("local");
                        names[(function, local)] = reader.ReadName("a local's name");
                    }
                }
            }
        }
        catch (WasmFormatException)
        {
            // A malformed name section makes no module invalid: what was read so far stays.
        }

        return names;
    }

    private static int ReadNameCount(ref ByteReader reader) => reader.ReadCount("names", int.MaxValue, NameAssociationBytesMin);

    private static bool TryFind(ReadOnlySpan<byte> bytes, int start, int end, byte id, out ByteReader contents)
    {
        var reader = new ByteReader(bytes, start, end);
        while (!reader.IsAtEnd)
        {
            byte found = reader.ReadByte("a name subsection");
            int size = reader.ReadByteCount("a name subsection");
            int contentsStart = reader.Offset;
            reader.ReadBytes(size, "a name subsection");
            if (found == id)
            {
                contents = new ByteReader(bytes, contentsStart, contentsStart + size);
                return true;
            }
        }

        contents = default;
        return false;
    }
}
