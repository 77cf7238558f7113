namespace Everheap.Vm.Modules;

/// <summary>
/// The custom section <c>metadata.code.branch_hint</c> (WebAssembly code metadata, branch hinting): which way <c>br_if</c> and <c>if</c> are likely to go. Hints change no results, so
/// one that is malformed ends the list, and no module is refused for it. It is read when first asked for.
/// </summary>
internal sealed class BranchHints(Module module, int start, int end)
{
    public const string SectionName = "metadata.code.branch_hint";

    private const int FunctionBytesMin = 2;
    private const int HintBytesMin = 3;

    private readonly Lazy<Dictionary<int, bool>> _hints = new(() => Read(module, start, end));

    /// <summary>Whether there is a hint for a branch.</summary>
    /// <param name="instructionOffset">The offset of the <c>br_if</c> or <c>if</c> in the module's bytes.</param>
    /// <param name="isLikely">Whether its condition is likely to be other than zero.</param>
    public bool TryGet(int instructionOffset, out bool isLikely) => _hints.Value.TryGetValue(instructionOffset, out isLikely);

    private static Dictionary<int, bool> Read(Module module, int start, int end)
    {
        var hints = new Dictionary<int, bool>();
        try
        {
            var reader = new ByteReader(module.Bytes.Span, start, end);
            int functionCount = reader.ReadCount("functions with branch hints", ModuleLimits.FunctionsMax, FunctionBytesMin);
            for (int i = 0; i < functionCount; i++)
            {
                int body = reader.ReadIndex("function") - module.ImportedFunctionCount;
                int hintCount = reader.ReadCount("branch hints", int.MaxValue, HintBytesMin);
                for (int j = 0; j < hintCount; j++)
                {
                    uint offset = reader.ReadU32("a branch hint's offset");
                    uint size = reader.ReadU32("a branch hint's size");
                    byte value = reader.ReadByte("a branch hint");
                    if (size != 1 || value > 1 || (uint)body >= (uint)module.Bodies.Count || offset >= ModuleLimits.FunctionBytesMax)
                    {
                        return hints;
                    }

                    hints[module.Bodies[body].DeclarationsStart + (int)offset] = value == 1;
                }
            }
        }
        catch (WasmFormatException)
        {
            // What was read so far stays.
        }

        return hints;
    }
}
