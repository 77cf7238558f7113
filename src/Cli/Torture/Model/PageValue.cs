namespace Everheap.Cli.Torture.Model;

/// <summary>
/// What a page holds, said by numbers alone: every write has a number of its own, and the bytes of a page follow from the numbers of the
/// writes that it shows (<see cref="PageContent"/>).
/// </summary>
/// <param name="Body">The write that the page as a whole is from; 0: none, it is zero.</param>
/// <param name="Patch">The write that its middle is from: the same, or a later one to that part alone.</param>
internal readonly record struct PageValue(uint Body, uint Patch)
{
    /// <summary>Written whole.</summary>
    public static PageValue Whole(uint write) => new(write, write);

    /// <inheritdoc/>
    public override string ToString() => Body == Patch ? $"write {Body}" : $"write {Body} with its middle from write {Patch}";
}
