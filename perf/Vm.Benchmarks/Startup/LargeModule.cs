namespace Everheap.Vm.Benchmarks.Startup;

/// <summary>
/// Makes a module of the size that compilers make of large programs: many functions of some 750 bytes, each with locals, loops, loads and stores, arithmetic of all
/// four types, calls of its neighbours and calls through a table. Its <c>_start</c> says "started", calls a chain of functions that are spread over the whole module,
/// and prints what they computed.
/// </summary>
internal static class LargeModule
{
    /// <summary>The functions of the module that start-up is measured with: 30 MiB.</summary>
    public const int FunctionCount = 40_000;

    /// <summary>What it prints first.</summary>
    public const string Greeting = "started\n";

    private const int SegmentsPerFunction = 19;
    private const int ChainLength = 200;
    private const int TableStride = 4;
    private const int ImportCount = 1;
    private const int MemoryPages = 32;
    private const int GreetingAddress = 16;
    private const int VectorAddress = 0;
    private const int ResultAddress = 64;
    private const int DataAddress = 1 << 16;

    private const byte I32 = 0x7F, I64 = 0x7E, F64 = 0x7C;

    // Indices of types.
    private const int WriteType = 0, WorkType = 1, StartType = 2;

    // Locals of a function: its two parameters, then these.
    private const int Pointer = 0, Depth = 1, Sum = 2, Count = 3, Wide = 4, Real = 5;

    /// <summary>Makes a module.</summary>
    /// <param name="functionCount">How many functions it has beside <c>_start</c>.</param>
    /// <returns>Its bytes; the same for the same number.</returns>
    public static byte[] Build(int functionCount)
    {
        var module = new WasmWriter();
        module.Bytes([0, (byte)'a', (byte)'s', (byte)'m', 1, 0, 0, 0]);
        module.Section(1, Types());
        module.Section(2, new WasmWriter().U32(ImportCount).Name("wasi_snapshot_preview1"u8).Name("fd_write"u8).Byte(0).U32(WriteType));
        var functions = new WasmWriter().U32(functionCount + 1);
        for (int index = 0; index < functionCount; index++)
        {
            functions.U32(WorkType);
        }

        module.Section(3, functions.U32(StartType));
        int tableLength = functionCount / TableStride;
        module.Section(4, new WasmWriter().U32(1).Byte(0x70).Byte(0).U32(tableLength));
        module.Section(5, new WasmWriter().U32(1).Byte(0).U32(MemoryPages));
        module.Section(7, new WasmWriter().U32(2).Name("memory"u8).Byte(2).U32(0).Name("_start"u8).Byte(0).U32(ImportCount + functionCount));
        var elements = new WasmWriter().U32(1).U32(0).Byte(0x41).S64(0).Byte(0x0B).U32(tableLength);
        for (int index = 0; index < tableLength; index++)
        {
            elements.U32(ImportCount + (index * TableStride));
        }

        module.Section(9, elements);
        module.Section(10, Code(functionCount, tableLength));
        module.Section(11, new WasmWriter().U32(1).U32(0).Byte(0x41).S64(GreetingAddress).Byte(0x0B).Name("started\n"u8));
        return module.Written.ToArray();
    }

    private static WasmWriter Types() => new WasmWriter().U32(3)
        .Byte(0x60).U32(4).Byte(I32).Byte(I32).Byte(I32).Byte(I32).U32(1).Byte(I32)
        .Byte(0x60).U32(2).Byte(I32).Byte(I32).U32(1).Byte(I32)
        .Byte(0x60).U32(0).U32(0);

    private static WasmWriter Code(int functionCount, int tableLength)
    {
        var code = new WasmWriter().U32(functionCount + 1);
        var body = new WasmWriter();
        for (int index = 0; index < functionCount; index++)
        {
            body.Clear();
            WriteFunction(body, index, functionCount, tableLength);
            code.U32(body.Length).Bytes(body.Written);
        }

        body.Clear();
        WriteStart(body, functionCount);
        return code.U32(body.Length).Bytes(body.Written);
    }

    // work(pointer, depth): a loop of two rounds over straight code that reads and writes memory, calls of neighbours while depth lasts.
    private static void WriteFunction(WasmWriter body, int index, int functionCount, int tableLength)
    {
        body.U32(3).U32(2).Byte(I32).U32(1).Byte(I64).U32(1).Byte(F64);
        Get(body, Pointer).Byte(0x41).S64(index).Byte(0x6A);
        Set(body, Sum);
        Constant(body, 2);
        Set(body, Count);
        body.Byte(0x03).Byte(0x40);
        for (int segment = 0; segment < SegmentsPerFunction; segment++)
        {
            WriteSegment(body, (index * 31) + (segment * 7));
        }

        // if (depth > 0) sum += work(pointer, depth - 1) of a neighbour, and of a function of the table
        Get(body, Depth).Byte(0x04).Byte(0x40);
        Get(body, Pointer);
        Get(body, Depth);
        Constant(body, 1).Byte(0x6B).Byte(0x10).U32(ImportCount + ((index + 1 + (index % 5)) % functionCount));
        Get(body, Sum).Byte(0x6A);
        Set(body, Sum);
        Get(body, Pointer);
        Constant(body, 0);
        Constant(body, (index * 13) % tableLength).Byte(0x11).U32(WorkType).U32(0);
        Get(body, Sum).Byte(0x73);
        Set(body, Sum);
        body.Byte(0x0B);

        // while (--count)
        Get(body, Count);
        Constant(body, 1).Byte(0x6B).Byte(0x22).U32(Count).Byte(0x0D).U32(0).Byte(0x0B);
        Get(body, Sum);
        Get(body, Wide).Byte(0xA7).Byte(0x6A).Byte(0x0B);
    }

    private static void WriteSegment(WasmWriter body, int variant)
    {
        int offset = DataAddress + (variant % 500 * 8);
        switch (variant % 4)
        {
            case 0:
                // memory[pointer + offset] = sum = (memory[pointer + offset] + sum) * odd, rotated
                Get(body, Pointer);
                Get(body, Pointer).Byte(0x28).U32(2).U32(offset);
                Get(body, Sum).Byte(0x6A);
                Constant(body, (variant * 2) + 1).Byte(0x6C);
                Constant(body, 1 + (variant % 30)).Byte(0x77).Byte(0x22).U32(Sum).Byte(0x36).U32(2).U32(offset);
                Get(body, Pointer).Byte(0x2F).U32(1).U32(offset + 2);
                Get(body, Sum).Byte(0x73);
                Set(body, Sum);
                break;
            case 1:
                // wide = wide * 31 + memory64[pointer + offset] ^ sum
                Get(body, Wide).Byte(0x42).S64(31).Byte(0x7E);
                Get(body, Pointer).Byte(0x29).U32(3).U32(offset).Byte(0x7C);
                Get(body, Sum).Byte(0xAD).Byte(0x85);
                Set(body, Wide);
                Get(body, Pointer);
                Get(body, Wide).Byte(0x37).U32(3).U32(offset);
                break;
            case 2:
                // if (sum & 4) sum += memory8[...] else sum -= 7
                Get(body, Sum);
                Constant(body, 4).Byte(0x71).Byte(0x04).Byte(0x40);
                Get(body, Sum);
                Get(body, Pointer).Byte(0x2D).U32(0).U32(offset).Byte(0x6A);
                Set(body, Sum);
                body.Byte(0x05);
                Get(body, Sum);
                Constant(body, 7).Byte(0x6B);
                Set(body, Sum);
                body.Byte(0x0B);
                Get(body, Pointer);
                Get(body, Sum).Byte(0x3A).U32(0).U32(offset);
                break;
            default:
                // real = real * 0.5 + sum; memory = real
                Get(body, Real).Byte(0x44).Bytes(BitConverter.GetBytes(0.5)).Byte(0xA2);
                Get(body, Sum).Byte(0xB7).Byte(0xA0);
                Set(body, Real);
                Get(body, Pointer);
                Get(body, Real).Byte(0x39).U32(3).U32(offset);
                Get(body, Sum);
                Constant(body, variant).Byte(0x74);
                Get(body, Sum);
                Constant(body, 3).Byte(0x76).Byte(0x72);
                Set(body, Sum);
                break;
        }
    }

    private static void WriteStart(WasmWriter body, int functionCount)
    {
        body.U32(1).U32(1).Byte(I32);
        WriteLine(body, GreetingAddress, Greeting.Length);
        int chain = Math.Min(ChainLength, functionCount);
        for (int link = 0; link < chain; link++)
        {
            Get(body, 0);
            Constant(body, 0);
            Constant(body, 1).Byte(0x10).U32(ImportCount + (int)((long)link * functionCount / chain)).Byte(0x6A);
            Set(body, 0);
        }

        // Eight letters of the sum, low digit first.
        for (int digit = 0; digit < 8; digit++)
        {
            Constant(body, ResultAddress + digit);
            Get(body, 0);
            Constant(body, digit * 4).Byte(0x76);
            Constant(body, 15).Byte(0x71);
            Constant(body, 'a').Byte(0x6A).Byte(0x3A).U32(0).U32(0);
        }

        Constant(body, ResultAddress + 8);
        Constant(body, '\n').Byte(0x3A).U32(0).U32(0);
        WriteLine(body, ResultAddress, 9);
        body.Byte(0x0B);
    }

    private static void WriteLine(WasmWriter body, int address, int length)
    {
        Constant(body, VectorAddress);
        Constant(body, address).Byte(0x36).U32(2).U32(0);
        Constant(body, VectorAddress);
        Constant(body, length).Byte(0x36).U32(2).U32(4);
        Constant(body, 1);
        Constant(body, VectorAddress);
        Constant(body, 1);
        Constant(body, VectorAddress + 8).Byte(0x10).U32(0).Byte(0x1A);
    }

    private static WasmWriter Get(WasmWriter body, int local) => body.Byte(0x20).U32(local);

    private static WasmWriter Set(WasmWriter body, int local) => body.Byte(0x21).U32(local);

    private static WasmWriter Constant(WasmWriter body, int value) => body.Byte(0x41).S64(value);
}
