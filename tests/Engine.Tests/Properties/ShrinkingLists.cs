using FsCheck;
using FsCheck.Fluent;

namespace Everheap.Engine.Tests.Properties;

/// <summary>Generated lists that are made shorter when they fail.</summary>
internal static class ShrinkingLists
{
    /// <summary>Lists of what a generator makes.</summary>
    public static Arbitrary<IReadOnlyList<T>> ListsOf<T>(this Gen<T> element) =>
        Arb.From(element.ListOf().Select(list => (IReadOnlyList<T>)[.. list]), list => list.Shorter());

    /// <summary>A list without some of its elements: first without one of its halves, at last without one element.</summary>
    public static IEnumerable<IReadOnlyList<T>> Shorter<T>(this IReadOnlyList<T> list)
    {
        for (int length = (list.Count + 1) / 2; length > 0; length = length == 1 ? 0 : (length + 1) / 2)
        {
            for (int start = 0; start < list.Count; start += length)
            {
                yield return [.. list.Take(start), .. list.Skip(start + length)];
            }
        }
    }
}
