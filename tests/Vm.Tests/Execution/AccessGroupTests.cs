using System.Buffers.Binary;
using Everheap.Engine;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Tests.Execution;

/// <summary>Accesses off one pointer are tested, marked and looked up together; what they do, and where they trap, must not show it.</summary>
[TestFixture(false)]
[TestFixture(true)]
internal sealed class AccessGroupTests(bool isPaged)
{
    private const int PointerAddress = 100;
    private const int End = LinearMemory.WasmPageBytes;

    // The pointer is taken from memory, so that nothing is known of it.
    private static readonly byte[] Pointer = [0x41, 0, 0x28, 2, 0xE4, 0, 0x21, 0];

    private string _folder = "";

    private string HeapPath => Path.Combine(_folder, "test.heap");

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("everheap-groups").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void The_first_access_of_a_group_that_lies_outside_traps_and_those_before_it_are_made()
    {
        byte[] memory = Run(End - 8, [.. Store8(0, 1), .. Store32(4, 2), .. Store32(8, 3), .. Store8(1, 4)], traps: 2);

        Assert.That(memory[^8..], Is.EqualTo(new byte[] { 1, 0, 0, 0, 2, 0, 0, 0 }));
    }

    [Test]
    public void A_group_that_begins_outside_traps_at_its_first_access()
    {
        byte[] memory = Run(End, [.. Store8(0, 1), .. Store32(4, 2)], traps: 0);

        Assert.That(memory[^8..], Is.All.Zero);
    }

    [Test]
    public void An_address_below_zero_wraps_around_and_traps_though_its_offset_leads_back()
    {
        // Stores to p, and then to (p - 8) + 8.
        byte[] memory = Run(4, [.. Store8(0, 1), 0x20, 0, 0x41, 0x78, 0x6A, 0x41, 7, 0x3A, 0, 8], traps: 1);

        Assert.That(memory[..8], Is.EqualTo(new byte[] { 0, 0, 0, 0, 1, 0, 0, 0 }));
    }

    [Test]
    public void Addresses_that_go_down_and_up_from_the_first_are_reached()
    {
        // Stores to p + 8, to (p - 8) + 4, and to (p + 16) + 0.
        byte[] memory = Run(
            16, [.. Store32(8, 1), 0x20, 0, 0x41, 0x78, 0x6A, 0x41, 2, 0x36, 2, 4, 0x20, 0, 0x41, 16, 0x6A, 0x41, 3, 0x36, 2, 0], traps: null);

        Assert.That((memory[24], memory[12], memory[32]), Is.EqualTo((1, 2, 3)));
    }

    [Test]
    public void An_access_that_is_passed_over_does_not_trap_for_its_group()
    {
        // Stores to p, and to p + 64 if memory's byte 0 is not zero, which it is.
        byte[] memory = Run(End - 1, [.. Store8(0, 1), 0x41, 0, 0x2D, 0, 0, 0x04, 0x40, .. Store8(64, 2), 0x0B, .. Store8(0, 3)], traps: null);

        Assert.That(memory[^1], Is.EqualTo(3));
    }

    [TestCase(4096)]
    [TestCase(4092)]
    [TestCase(4095)]
    public void What_a_group_stores_is_part_of_the_next_checkpoint_wherever_its_pages_end(int pointer)
    {
        byte[] memory = Run(pointer, [.. Store32(0, 1), .. Store32(4, 2), .. Store32(8, 3)], traps: null);

        byte[] expected = [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0];
        Assert.That(memory.AsSpan(pointer, expected.Length).ToArray(), Is.EqualTo(expected));
    }

    private static byte[] Store8(byte offset, byte value) => [0x20, 0, 0x41, value, 0x3A, 0, offset];

    private static byte[] Store32(byte offset, byte value) => [0x20, 0, 0x41, value, 0x36, 2, offset];

    // Runs the code with a pointer in local 0, checkpoints, and returns the memory as the checkpoint has it. What traps is the store of that number.
    private byte[] Run(int pointer, byte[] code, int? traps)
    {
        ulong address;
        Module module = TinyModule.Of(("_start", [1, 1, 0x7F, .. Pointer, .. code, 0x0B]));
        using (HeapStore store = HeapStore.Create(HeapPath))
        using (PersistentHeap heap = store.CreateHeap("program"))
        using (InstanceGroup group = InstanceGroup.Create(heap, new MachineHeader(), new InstanceOptions { IsAlwaysPaged = isPaged }))
        {
            group.PushCall(group.Instantiate(module, []), 0, []);
            address = group.Memories[0].Address;
            byte[] bytes = new byte[sizeof(int)];
            BinaryPrimitives.WriteInt32LittleEndian(bytes, pointer);
            heap.Write(address + PointerAddress, bytes);
            heap.Checkpoint();
            Assert.That(group.Run(() => true), Is.EqualTo(traps is null ? RunOutcome.Returned : RunOutcome.Trapped));
            if (traps is int number)
            {
                Assert.That(group.Trap, Is.EqualTo((TrapKind.OutOfBoundsMemory, 0, 0, OffsetOfStore(module, number))));
            }

            heap.Checkpoint();
        }

        using HeapStore reopened = HeapStore.Open(HeapPath);
        using PersistentHeap read = reopened.OpenHeap("program");
        byte[] memory = new byte[End];
        read.Read(address, memory);
        return memory;
    }

    private static int OffsetOfStore(Module module, int number)
    {
        var reader = new InstructionReader(module.Bytes.Span, module.Bodies[0].Start, module.Bodies[0].End);
        while (reader.Read(out Instruction instruction))
        {
            if (instruction.Opcode is Opcode.I32Store or Opcode.I32Store8 && number-- == 0)
            {
                return instruction.Offset;
            }
        }

        throw new ArgumentOutOfRangeException(nameof(number));
    }
}
