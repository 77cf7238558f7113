using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Everheap.Engine;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Tests.Execution;

/// <summary>
/// Loops whose accesses go through the memory step by step test them by strips; what they do, and where they trap, must not show it. Random loops, each beside the same loop in C#; what a checkpoint holds
/// afterwards is compared. EVERHEAP_TORTURE=long runs many more, EVERHEAP_SEED=n the one of that number. Should the process itself go down, the file "strip-seed" in the tests' work folder names the loop.
/// </summary>
internal sealed class StripTests
{
    private const int UsualLoops = 60;
    private const int ManyLoops = 20_000;
    private const int MemoryBytes = LinearMemory.WasmPageBytes;
    private const int PageBytes = 4096;
    private const int PointerAddress = 64;
    private const int Pointers = 3;
    private const int CountLocal = Pointers;
    private const int ValueLocal = Pointers + 1;

    // Of the loops that come to more pages than the budget holds.
    private const byte LanesLocal = 3;
    private const int FarWasmPages = 255;
    private const int FarAreaAddress = 0x400000;
    private const int FarAreaBytes = 0x801000;

    private static readonly (byte Load, byte Store, int Size)[] Widths = [(0x2D, 0x3A, 1), (0x2F, 0x3B, 2), (0x28, 0x36, 4)];

    private enum StepKind
    {
        Load,
        Store,
        Move,
        MoveIfOdd,
        EndIfHigh,
    }

    /// <summary>One step of a loop's body.</summary>
    /// <param name="Kind">What it does.</param>
    /// <param name="Pointer">With which pointer.</param>
    /// <param name="Amount">By how much it moves.</param>
    /// <param name="Width">The width of an access.</param>
    /// <param name="Offset">The access's offset.</param>
    /// <param name="Alignment">The alignment that it promises.</param>
    /// <param name="Shift">Of an access by an index: the loop's counter, shifted by this, is added to the pointer. Else -1.</param>
    private readonly record struct Step(StepKind Kind, int Pointer, int Amount, int Width, uint Offset, int Alignment, int Shift);

    private string _folder = "";

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("everheap-strips").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    private static IEnumerable<int> Seeds() => int.TryParse(Environment.GetEnvironmentVariable("EVERHEAP_SEED"), out int seed)
        ? [seed]
        : Enumerable.Range(1, TestLength.IsLong ? ManyLoops : UsualLoops);

    [Test]
    public void Random_loops_do_what_they_do_one_step_at_a_time()
    {
        int trapped = 0;
        foreach (int seed in Seeds())
        {
            var random = new Random(seed);
            uint[] pointers = [.. Enumerable.Range(0, Pointers).Select(_ => RandomAddress(random))];
            Step[] body = RandomBody(random);
            int count = random.Next(3) == 0 ? random.Next(1, 8) : random.Next(1, 3000);
            bool isNested = random.Next(2) == 0;
            var memory = new byte[MemoryBytes];
            random.NextBytes(memory);
            for (int index = 0; index < Pointers; index++)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(memory.AsSpan(PointerAddress + (index * sizeof(uint))), pointers[index]);
            }

            Module module = ModuleOf(body, count, isNested);
            byte[] expected = [.. memory];
            int? trap = RunHere(expected, pointers, body, count, isNested);
            trapped += trap is null ? 0 : 1;
            foreach (bool isPaged in (bool[])[false, true])
            {
                foreach (int captureEvery in (int[])[0, 1, 5])
                {
                    string how = $"seed {seed}, {(isPaged ? "by pages" : "in one piece")}, captured every {captureEvery}";
                    File.WriteAllText(Path.Combine(TestContext.CurrentContext.WorkDirectory, "strip-seed"), how);
                    byte[] actual = Run(module, memory, isPaged, captureEvery, trap, how);
                    int differs = expected.AsSpan().CommonPrefixLength(actual);
                    Assert.That(differs, Is.EqualTo(MemoryBytes), $"{how}: the memory differs at {differs}");
                }
            }
        }

        if (Seeds().Count() > 1)
        {
            Assert.That(trapped, Is.GreaterThan(0), "some loops leave the memory");
        }
    }

    [Test]
    public void A_load_of_a_lane_that_straddles_pages_moves_no_page_under_a_strip()
    {
        // v128.load32_lane, which promises no alignment, at the last two bytes of a page.
        AssertStoresBeside([.. FarAddress(0xFFE), 0x20, LanesLocal, 0xFD, 86, 0, 0, 0, 0x21, LanesLocal], []);
    }

    [Test]
    public void A_miss_that_comes_back_moves_no_page_under_a_strip()
    {
        // A function of many vectors and accesses, of which those that miss call and come back.
        const int Accesses = 180;
        const int Vectors = 40;
        byte[] rest =
        [
            .. Enumerable.Repeat((byte[])[0x41, 0, 0x28, 2, 0, 0x1A], Accesses).SelectMany(bytes => bytes),
            .. Enumerable.Repeat((byte[])[0x20, LanesLocal, 0xFD, 77, 0x21, LanesLocal], Vectors).SelectMany(bytes => bytes),
        ];
        AssertStoresBeside([.. FarAddress(0), 0x28, 2, 0, 0x1A], rest);
    }

    // The address of a page somewhere in 8 MiB, and so many bytes.
    private static byte[] FarAddress(int place) =>
    [
        0x20, 1, 0x41, .. ModuleBytes.Signed(1103515245), 0x6C, 0x41, .. ModuleBytes.Signed(12345), 0x6A, 0x22, 1,
        0x41, 8, 0x76, 0x41, .. ModuleBytes.Signed(0x7FF), 0x71, 0x41, 12, 0x74, 0x41, .. ModuleBytes.Signed(FarAreaAddress + place), 0x6A,
    ];

    // Stores go up word by word in a loop, and beside them goes what is given, in a heap whose budget does not hold the pages that it comes to.
    private void AssertStoresBeside(byte[] beside, byte[] rest)
    {
        const int Stores = 8192;
        const int StoresAddress = LinearMemory.WasmPageBytes;
        const byte Target = 0;
        const byte Left = 2;
        byte[] code =
        [
            2, 3, 0x7F, 1, 0x7B,
            0x41, .. ModuleBytes.Signed(FarWasmPages), 0x40, 0, 0x1A,
            0x41, .. ModuleBytes.Signed(FarAreaAddress), 0x41, 7, 0x41, .. ModuleBytes.Signed(FarAreaBytes), 0xFC, 11, 0,
            0x41, .. ModuleBytes.Signed(StoresAddress), 0x21, Target,
            0x41, .. ModuleBytes.Signed(Stores), 0x21, Left,
            0x03, 0x40,
            .. beside,
            0x20, Target, 0x20, Left, 0x36, 2, 0,
            0x20, Target, 0x41, 4, 0x6A, 0x21, Target,
            0x20, Left, 0x41, 1, 0x6B, 0x22, Left, 0x0D, 0,
            0x0B, .. rest, 0x0B,
        ];
        using HeapStore store = HeapStore.Create(Path.Combine(_folder, "test.heap"));
        using PersistentHeap heap = store.CreateHeap("program", new HeapOptions { ResidentBytes = HeapStoreOptions.ResidentBytesMin });
        using InstanceGroup group = InstanceGroup.Create(heap, new MachineHeader(), new InstanceOptions { IsAlwaysPaged = true });
        group.PushCall(group.Instantiate(ModuleBytes.Of([[0x60, 0, 0]], (0, code)), []), 0, []);
        Assert.That(group.Run(() => true), Is.EqualTo(RunOutcome.Returned));

        var actual = new byte[Stores * sizeof(int)];
        heap.Read(group.Memories[0].Address + StoresAddress, actual);
        Assert.That(heap.Statistics.Evictions, Is.GreaterThan(0), "the budget does not hold what is loaded");
        Assert.That(MemoryMarshal.Cast<byte, int>(actual).ToArray(), Is.EqualTo(Enumerable.Range(1, Stores).Reverse()));
    }

    private static uint RandomAddress(Random random) => random.Next(8) switch
    {
        0 => (uint)random.Next(0, 64),
        1 => (uint)(MemoryBytes - random.Next(0, 600)),
        2 => (uint)-random.Next(1, 200),
        3 => (uint)((random.Next(1, MemoryBytes / PageBytes) * PageBytes) + random.Next(-40, 8)),
        _ => (uint)random.Next(256, MemoryBytes),
    };

    private static Step[] RandomBody(Random random)
    {
        var steps = new List<Step>();
        int accesses = random.Next(1, 6);
        for (int index = 0; index < accesses; index++)
        {
            int width = random.Next(Widths.Length);
            uint offset = random.Next(6) switch
            {
                0 => (uint)random.Next(0, MemoryBytes),
                1 => (uint)random.Next(4000, 4200),
                2 => uint.MaxValue - (uint)random.Next(0, 100),
                _ => (uint)random.Next(0, 40),
            };
            offset = random.Next(20) == 0 ? offset : offset % 100;
            steps.Add(new Step(random.Next(2) == 0 ? StepKind.Load : StepKind.Store, random.Next(Pointers), 0, width, offset, random.Next(width + 1), random.Next(3) == 0 ? random.Next(5) : -1));
            if (random.Next(2) == 0)
            {
                steps.Add(RandomMove(random));
            }
        }

        steps.Add(RandomMove(random));
        if (random.Next(3) == 0)
        {
            steps.Insert(random.Next(steps.Count), new Step(StepKind.EndIfHigh, 0, 0, 0, 0, 0, -1));
        }

        return [.. steps];
    }

    private static Step RandomMove(Random random)
    {
        int amount = random.Next(4) == 0 ? -random.Next(1, 17) : random.Next(1, 65);
        return new Step(random.Next(4) == 0 ? StepKind.MoveIfOdd : StepKind.Move, random.Next(Pointers), amount, 0, 0, 0, -1);
    }

    // Pointers come from memory, so that nothing is known of them; the loop itself, or a loop around it that runs it twice.
    private static Module ModuleOf(Step[] body, int count, bool isNested)
    {
        List<byte> code = [1, Pointers + 3, 0x7F];
        for (int pointer = 0; pointer < Pointers; pointer++)
        {
            code.AddRange([0x41, 0, 0x28, 2, .. ModuleBytes.Unsigned((uint)(PointerAddress + (pointer * sizeof(uint)))), 0x21, (byte)pointer]);
        }

        const byte RoundLocal = Pointers + 2;
        if (isNested)
        {
            code.AddRange([0x41, 2, 0x21, RoundLocal, 0x03, 0x40]);
        }

        code.AddRange([0x41, .. ModuleBytes.Signed(count), 0x21, CountLocal, 0x02, 0x40, 0x03, 0x40]);
        foreach (Step step in body)
        {
            byte pointer = (byte)step.Pointer;
            byte[] address = step.Shift < 0 ? [0x20, pointer] : [0x20, pointer, 0x20, CountLocal, 0x41, (byte)step.Shift, 0x74, 0x6A];
            code.AddRange(step.Kind switch
            {
                StepKind.Load => [.. address, Widths[step.Width].Load, (byte)step.Alignment, .. ModuleBytes.Unsigned(step.Offset), 0x20, ValueLocal, 0x6A, 0x21, ValueLocal],
                StepKind.Store => [.. address, 0x20, ValueLocal, Widths[step.Width].Store, (byte)step.Alignment, .. ModuleBytes.Unsigned(step.Offset)],
                StepKind.Move => [0x20, pointer, 0x41, .. ModuleBytes.Signed(step.Amount), 0x6A, 0x21, pointer],
                StepKind.MoveIfOdd =>
                    [0x20, ValueLocal, 0x41, 1, 0x71, 0x04, 0x40, 0x20, pointer, 0x41, .. ModuleBytes.Signed(step.Amount), 0x6A, 0x21, pointer, 0x0B],

                // Only now and then: (value & 0x3FF) > 0x3FC.
                _ => (byte[])[0x20, ValueLocal, 0x41, 0xFF, 0x07, 0x71, 0x41, 0xFC, 0x07, 0x4B, 0x0D, 1],
            });
        }

        code.AddRange([0x20, CountLocal, 0x41, 1, 0x6B, 0x22, CountLocal, 0x0D, 0, 0x0B, 0x0B]);
        if (isNested)
        {
            code.AddRange([0x20, RoundLocal, 0x41, 1, 0x6B, 0x22, RoundLocal, 0x0D, 0, 0x0B]);
        }

        code.Add(0x0B);
        return ModuleBytes.Of([[0x60, 0, 0]], (0, [.. code]));
    }

    // Gives the number of the access that traps among those of the body, or null.
    private static int? RunHere(byte[] memory, uint[] startingAt, Step[] body, int count, bool isNested)
    {
        uint[] pointers = [.. startingAt];
        uint value = 0;
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        for (int round = 0; round < (isNested ? 2 : 1); round++)
        {
            for (int left = count; left > 0; left--)
            {
                bool isOver = false;
                int access = -1;
                foreach (Step step in body)
                {
                    ulong address = (ulong)(pointers[step.Pointer] + (step.Shift < 0 ? 0 : (uint)left << step.Shift)) + step.Offset;
                    int size = Widths[step.Width].Size;
                    switch (step.Kind)
                    {
                        case StepKind.Load or StepKind.Store:
                            access++;
                            if (address + (ulong)size > MemoryBytes)
                            {
                                return access;
                            }

                            if (step.Kind == StepKind.Store)
                            {
                                BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
                                bytes[..size].CopyTo(memory.AsSpan((int)address));
                            }
                            else
                            {
                                bytes.Clear();
                                memory.AsSpan((int)address, size).CopyTo(bytes);
                                value += BinaryPrimitives.ReadUInt32LittleEndian(bytes);
                            }

                            break;
                        case StepKind.Move:
                            pointers[step.Pointer] += (uint)step.Amount;
                            break;
                        case StepKind.MoveIfOdd:
                            pointers[step.Pointer] += (value & 1) == 1 ? (uint)step.Amount : 0;
                            break;
                        default:
                            isOver = (value & 0x3FF) > 0x3FC;
                            break;
                    }

                    if (isOver)
                    {
                        break;
                    }
                }

                if (isOver)
                {
                    break;
                }
            }
        }

        return null;
    }

    private byte[] Run(Module module, byte[] memory, bool isPaged, int captureEvery, int? trap, string how)
    {
        string path = Path.Combine(_folder, "test.heap");
        File.Delete(path);
        using HeapStore store = HeapStore.Create(path);
        ulong address;
        using (PersistentHeap heap = store.CreateHeap("program"))
        using (InstanceGroup group = InstanceGroup.Create(heap, new MachineHeader(), new InstanceOptions { IsAlwaysPaged = isPaged, CaptureEvery = captureEvery }))
        {
            group.PushCall(group.Instantiate(module, []), 0, []);
            address = group.Memories[0].Address;
            heap.Write(address, memory);
            heap.Checkpoint();
            Assert.That(group.Run(() => true), Is.EqualTo(trap is null ? RunOutcome.Returned : RunOutcome.Trapped), how);
            if (trap is int number)
            {
                Assert.That(group.Trap, Is.EqualTo((TrapKind.OutOfBoundsMemory, 0, 0, OffsetOfAccess(module, Pointers + number))), how);
            }

            heap.Checkpoint();
        }

        using PersistentHeap read = store.OpenHeap("program");
        var result = new byte[MemoryBytes];
        read.Read(address, result);
        return result;
    }

    private static int OffsetOfAccess(Module module, int number)
    {
        var reader = new InstructionReader(module.Bytes.Span, module.Bodies[0].Start, module.Bodies[0].End);
        while (reader.Read(out Instruction instruction))
        {
            if (instruction.Opcode is >= Opcode.I32Load and <= Opcode.I64Store32 && number-- == 0)
            {
                return instruction.Offset;
            }
        }

        throw new ArgumentOutOfRangeException(nameof(number));
    }
}
