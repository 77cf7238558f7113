using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>
/// A value that is computed again before a strip: a local, a constant, or an operator of such.
/// </summary>
/// <param name="Opcode">The operator; <see cref="Opcode.LocalGet"/> or <see cref="Opcode.I32Const"/> for what is none.</param>
/// <param name="Value">The local, or the constant.</param>
/// <param name="First">The operator's first operand.</param>
/// <param name="Second">Its second one.</param>
internal sealed record StripTerm(Opcode Opcode, int Value, StripTerm? First = null, StripTerm? Second = null);

/// <summary>Accesses of a loop at fixed distances from one address, which moves by so much at an iteration at most.</summary>
/// <param name="address">The address, at the loop's head, of the access that lies lowest, its offset not counted.</param>
/// <param name="stepDown">The least that is added to it in an iteration, 0 or less.</param>
/// <param name="stepUp">The most that is added to it in an iteration, 0 or more.</param>
internal sealed class StripStream(StripTerm address, int stepDown, int stepUp)
{
    /// <summary>The address, at the loop's head, from which the others are reckoned.</summary>
    public StripTerm Address { get; } = address;

    /// <summary>The least that is added to it in an iteration, 0 or less.</summary>
    public int StepDown { get; } = stepDown;

    /// <summary>The most that is added to it in an iteration, 0 or more.</summary>
    public int StepUp { get; } = stepUp;

    /// <summary>How far the lowest byte lies above the address.</summary>
    public required long First { get; init; }

    /// <summary>How far the end of the highest access lies above the address.</summary>
    public required long End { get; init; }

    /// <summary>Whether any of the accesses is a store.</summary>
    public required bool HasStore { get; init; }

    /// <summary>How many accesses it has.</summary>
    public required int Members { get; init; }

    /// <summary>Bytes from the first to the end.</summary>
    public long Span => End - First;
}

/// <summary>
/// An innermost loop that calls nothing, and of which some accesses go through the memory step by step. How many iterations these accesses stay within their pages, or within the memory, is found out
/// before: so many iterations, a <em>strip</em>, test nothing of them (strip mining: Wolfe, "Optimizing Supercompilers for Supercomputers", 1989).
/// </summary>
/// <param name="streams">The streams.</param>
/// <param name="members">The accesses that have streams, by position.</param>
internal sealed class StripLoop(StripStream[] streams, Dictionary<int, StripMember> members)
{
    /// <summary>The streams.</summary>
    public IReadOnlyList<StripStream> Streams { get; } = streams;

    /// <summary>Whether it goes on for a number of times, and does not end where something is found in the memory.</summary>
    public bool IsCounted { get; init; }

    /// <summary>An access as a member of a stream, or null.</summary>
    public StripMember? MemberAt(int position) => members.TryGetValue(position, out StripMember member) ? member : null;
}

/// <summary>An access as a member of its stream.</summary>
/// <param name="Stream">The stream's number.</param>
/// <param name="Place">How far the access lies above the stream's address.</param>
internal readonly record struct StripMember(int Stream, long Place);
