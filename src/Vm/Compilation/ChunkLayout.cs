using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>
/// How a module's functions are divided into chunks: runs of neighbours that are compiled together, when the first of them is called. Functions of a chunk call one another
/// directly; compilers put close together what belongs together. A small module is one chunk.
/// </summary>
internal sealed class ChunkLayout
{
    /// <summary>Bytes of code after which a chunk ends, but for tests.</summary>
    public const int ChunkBytes = 128 << 10;

    /// <summary>The same for a module whose functions are compiled in a hurry: they do not call each other directly, and the program waits less for the first of a small chunk.</summary>
    public const int TieredChunkBytes = 64 << 10;

    /// <summary>Functions that a chunk may have.</summary>
    public const int ChunkFunctionsMax = 2048;

    private readonly int[] _starts;

    private ChunkLayout(int[] starts) => _starts = starts;

    /// <summary>How many chunks there are; one at least.</summary>
    public int Count => _starts.Length - 1;

    /// <summary>Divides a module. </summary>
    /// <param name="module">The module.</param>
    /// <param name="chunkBytes">Bytes of code after which a chunk ends.</param>
    public static ChunkLayout Of(Module module, int chunkBytes)
    {
        var starts = new List<int> { 0 };
        int bytes = 0;

        // Imports, which all chunks call, are a chunk of their own then.
        bool hasSeveral = module.CodeBytes > chunkBytes;
        for (int function = 0; function < module.FunctionTypes.Count; function++)
        {
            bool isFirstOfMany = function == module.ImportedFunctionCount && function > 0 && hasSeveral;
            if (isFirstOfMany || bytes >= chunkBytes || function - starts[^1] == ChunkFunctionsMax)
            {
                starts.Add(function);
                bytes = 0;
            }

            if (function >= module.ImportedFunctionCount)
            {
                bytes += module.BodyOf(function).Bytes;
            }
        }

        return new ChunkLayout([.. starts, module.FunctionTypes.Count]);
    }

    /// <summary>The first function of a chunk, and the one behind its last.</summary>
    public (int First, int End) RangeOf(int chunk) => (_starts[chunk], _starts[chunk + 1]);

    /// <summary>The chunk that a function is in.</summary>
    public int ChunkOf(int function)
    {
        int found = Array.BinarySearch(_starts, 0, Count, function);
        return found >= 0 ? found : ~found - 1;
    }
}
