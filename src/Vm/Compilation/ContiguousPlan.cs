using Everheap.Vm.Execution;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>
/// What need not be done for each access where the memory lies in one piece. An address that was found to lie within it does so for good: it never shrinks under the code that is compiled for it.
/// And a page that was marked stays so for as long as the function runs: marks are taken away by a seal, before which every function has left.
/// </summary>
internal sealed class ContiguousPlan
{
    // A test for all accesses of a group can hardly fail where none of them would, but for accesses that are not made, near the memory's end: so those must be near.
    private static readonly GroupRules BoundsRules = new(CertainSpanMax: 1 << 16, LikelySpanMax: 128, EndsAtCalls: false, OnlyStores: false);

    // What is marked at once must lie in two pages at most.
    private static readonly GroupRules MarkRules = new(CertainSpanMax: 1024, LikelySpanMax: 64, EndsAtCalls: false, OnlyStores: true);

    private readonly FunctionCode _code;
    private readonly ulong _leastBytes;
    private readonly AddressGroups? _bounds;
    private readonly AddressGroups? _marks;
    private readonly HashSet<int> _within = [];

    private ContiguousPlan(FunctionCode code, IReadOnlyList<AddressEvent>? events)
    {
        _code = code;
        _leastBytes = (ulong)code.Module.Memories[0].Limits.Minimum * LinearMemory.WasmPageBytes;
        if (events is not null)
        {
            _bounds = AddressGroups.Of(code, events, BoundsRules, IsWithin);
            if (code.StoreCount == 0)
            {
                return;
            }

            // What is marked at the head must be tested before it. So that is what stores must share: the group that they are tested with, or that they need no test.
            _marks = AddressGroups.Of(
                code,
                [.. events.Select(met => _bounds.At(met.Position) is AddressGroup group
                    ? met with { Value = new AddressValue(group.Head + 1, (int)_bounds.MemberAt(met.Position).Distance, met.Value.Max) }
                    : met)],
                MarkRules,
                access => _within.Contains(access.Position) && access.Value.Number != 0);
        }
    }

    /// <summary>Plans a function's accesses. It has some.</summary>
    /// <param name="code">The function.</param>
    /// <param name="events">What a walk over it met, or null.</param>
    public static ContiguousPlan Of(FunctionCode code, IReadOnlyList<AddressEvent>? events) => new(code, events);

    /// <summary>Whether an access lies within the memory's least size, whatever it is given.</summary>
    public bool IsWithin(int position) => _within.Contains(position);

    /// <summary>The group that an access is tested with, or null.</summary>
    public AddressGroup? BoundsAt(int position) => _bounds?.At(position);

    /// <summary>An access as a member of the group that it is tested with, which it has.</summary>
    public AddressMember MemberAt(int position) => _bounds!.MemberAt(position);

    /// <summary>The group that a store's pages are marked with, or null.</summary>
    public AddressGroup? MarksAt(int position) => _marks?.At(position);

    private bool IsWithin(AddressEvent access)
    {
        ref readonly Instruction instruction = ref _code.Instructions[access.Position];
        ulong end = Math.Min(access.Value.Max, uint.MaxValue) + (ulong)instruction.Immediate + (ulong)MemoryAccess.Of(instruction.Opcode).Size;
        return end <= _leastBytes && _within.Add(access.Position);
    }
}
