namespace Everheap.Vm.Compilation;

/// <summary>Accesses whose addresses lie at fixed distances from each other, and of which one comes before the others on every path: what has to be done for all is done there, once.</summary>
/// <param name="number">Groups that are needed at the same time have different numbers.</param>
/// <param name="head">The position of the access that comes before the others.</param>
/// <param name="address">The head's address, its offset not counted.</param>
internal sealed class AddressGroup(int number, int head, AddressValue address)
{
    /// <summary>Groups that are needed at the same time have different numbers.</summary>
    public int Number { get; } = number;

    /// <summary>The position of the access that comes before the others.</summary>
    public int Head { get; } = head;

    /// <summary>The head's address, its offset not counted. Distances are from here.</summary>
    public AddressValue Address { get; } = address;

    /// <summary>How many accesses it has.</summary>
    public int Members { get; set; }

    /// <summary>How many of them follow from the head without a branch or call, itself included.</summary>
    public int CertainMembers { get; set; }

    /// <summary>Which of the groups it is whose heads stand in the same straight line of code.</summary>
    public int NumberInLine { get; init; }

    /// <summary>The distance of the lowest byte that an access reaches.</summary>
    public long First { get; set; }

    /// <summary>The distance of the end of the highest access.</summary>
    public long End { get; set; }

    /// <summary>The lowest distance of an address, its offset not counted: negative where one is computed by going down from the head's.</summary>
    public long Lowest { get; set; }

    /// <summary>Like <see cref="First"/>, of those accesses alone that follow from the head without a branch or call.</summary>
    public long CertainFirst { get; set; }

    /// <summary>Like <see cref="End"/>, of those accesses alone that follow from the head without a branch or call.</summary>
    public long CertainEnd { get; set; }

    /// <summary>Whether it reaches bytes that the head does not.</summary>
    public bool IsWide { get; set; }

    /// <summary>Whether any of the accesses is a store.</summary>
    public bool HasStore { get; set; }

    /// <summary>Bytes from the first to the end.</summary>
    public long Span => End - First;
}

/// <summary>What may be in one group.</summary>
/// <param name="CertainSpanMax">Bytes that accesses may span which follow from the head without a branch or call.</param>
/// <param name="LikelySpanMax">By how many bytes others may lie outside of those.</param>
/// <param name="EndsAtCalls">Whether what is done at the head is undone by a call.</param>
/// <param name="OnlyStores">Whether loads are left out.</param>
internal readonly record struct GroupRules(long CertainSpanMax, long LikelySpanMax, bool EndsAtCalls, bool OnlyStores);

/// <summary>An access as a member of its group.</summary>
/// <param name="Group">The group.</param>
/// <param name="Distance">How far its address, its offset not counted, lies from the head's.</param>
/// <param name="IsCertain">Whether it follows from the head without a branch or call.</param>
internal readonly record struct AddressMember(AddressGroup Group, long Distance, bool IsCertain);
