using Everheap.Vm.Modules;

namespace Everheap.Vm.Validation;

/// <summary>An open block, and what the operand stack was like around it.</summary>
/// <param name="Opcode">What opened it: block, loop, if, else, try_table, try, catch or catch_all.</param>
/// <param name="Type">Its type.</param>
/// <param name="OuterFloor">The floor of the block around it.</param>
/// <param name="IsOuterUnreachable">Whether the code around it cannot be reached.</param>
/// <param name="SetLocals">How many locals without an initial value were set around it.</param>
internal readonly record struct Block(Opcode Opcode, BlockType Type, int OuterFloor, bool IsOuterUnreachable, int SetLocals);

/// <summary>The open blocks (the ctrls of the validation algorithm).</summary>
internal sealed class ControlStack
{
    private const int FirstCapacity = 64;

    private Block[] _blocks = new Block[FirstCapacity];

    public int Count { get; private set; }

    public void Clear() => Count = 0;

    public void Push(Block block, int offset)
    {
        if (Count == _blocks.Length)
        {
            if (Count == ModuleLimits.NestingMax)
            {
                throw new WasmFormatException(offset, $"blocks are nested too deeply: at most {ModuleLimits.NestingMax:N0} are allowed");
            }

            Array.Resize(ref _blocks, Math.Min(2 * Count, ModuleLimits.NestingMax));
        }

        _blocks[Count++] = block;
    }

    public Block Pop() => _blocks[--Count];

    /// <summary>The block that a label depth means: 0 is the innermost.</summary>
    public ref readonly Block AtDepth(int depth) => ref _blocks[Count - 1 - depth];
}
