using Everheap.Engine.Storage;

namespace Everheap.Engine.Tests.Storage;

/// <summary>The truth table of opening: what the slots hold decides, and nothing else.</summary>
[TestFixture]
internal sealed class RootSelectionTests
{
    private static readonly RootState[] States = Enum.GetValues<RootState>();

    [TestCase("valid 7", "valid 8", "valid 6", ExpectedResult = "open slot 1")]
    [TestCase("valid 9", "valid 8", "valid 7", ExpectedResult = "open slot 0")]
    [TestCase("valid 3", "empty", "empty", ExpectedResult = "open slot 0")]
    [TestCase("empty", "empty", "valid 0", ExpectedResult = "open slot 2")]
    [TestCase("valid 7", "damaged", "valid 6", ExpectedResult = "open slot 0")]
    [TestCase("damaged", "damaged", "valid 6", ExpectedResult = "open slot 2")]
    [TestCase("too short 9", "valid 8", "valid 7", ExpectedResult = "open slot 1")]
    [TestCase("catalog damaged 9", "valid 8", "valid 7", ExpectedResult = "open slot 1")]
    [TestCase("parent mismatch 9", "valid 8", "valid 7", ExpectedResult = "open slot 1")]
    [TestCase("empty", "empty", "empty", ExpectedResult = "not a store")]
    [TestCase("damaged", "empty", "empty", ExpectedResult = "no valid root")]
    [TestCase("damaged", "damaged", "damaged", ExpectedResult = "no valid root")]
    [TestCase("too short 9", "catalog damaged 8", "parent mismatch 7", ExpectedResult = "no valid root")]
    [TestCase("newer 9", "valid 8", "valid 7", ExpectedResult = "newer version")]
    [TestCase("valid 8", "newer 9", "damaged", ExpectedResult = "newer version")]
    [TestCase("newer 1", "empty", "empty", ExpectedResult = "newer version")]
    public string Slots_decide(string first, string second, string third)
    {
        (RootVerdict verdict, int slot) = RootSelection.Choose([Parse(first), Parse(second), Parse(third)]);
        return verdict switch
        {
            RootVerdict.Open => $"open slot {slot}",
            RootVerdict.NotAStore => "not a store",
            RootVerdict.NewerVersion => "newer version",
            RootVerdict.NoValidRoot => "no valid root",
            _ => throw new InvalidOperationException($"{verdict}"),
        };
    }

    [Test]
    public void Every_combination_of_states_follows_the_four_rules()
    {
        ulong[][] sequences = [[1, 2, 3], [3, 1, 2], [2, 3, 1]];
        foreach (RootState a in States)
        {
            foreach (RootState b in States)
            {
                foreach (RootState c in States)
                {
                    foreach (ulong[] sequence in sequences)
                    {
                        RootCandidate[] slots = [new(a, sequence[0]), new(b, sequence[1]), new(c, sequence[2])];
                        (RootVerdict Verdict, int Slot) expected =
                            slots.Any(s => s.State == RootState.Newer) ? (RootVerdict.NewerVersion, -1)
                            : slots.Any(s => s.State == RootState.Valid) ? (RootVerdict.Open, NewestValid(slots))
                            : slots.All(s => s.State == RootState.Empty) ? (RootVerdict.NotAStore, -1)
                            : (RootVerdict.NoValidRoot, -1);
                        Assert.That(RootSelection.Choose(slots), Is.EqualTo(expected), $"{a}, {b}, {c}, {string.Join(",", sequence)}");
                    }
                }
            }
        }
    }

    private static int NewestValid(RootCandidate[] slots) =>
        Enumerable.Range(0, slots.Length).Where(i => slots[i].State == RootState.Valid).MaxBy(i => slots[i].Sequence);

    private static RootCandidate Parse(string text)
    {
        string name = text.TrimEnd(' ', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9');
        ulong sequence = name.Length == text.Length ? 0 : ulong.Parse(text[name.Length..], System.Globalization.CultureInfo.InvariantCulture);
        RootState state = name switch
        {
            "empty" => RootState.Empty,
            "damaged" => RootState.Damaged,
            "newer" => RootState.Newer,
            "too short" => RootState.FileTooShort,
            "catalog damaged" => RootState.CatalogDamaged,
            "parent mismatch" => RootState.ParentMismatch,
            "valid" => RootState.Valid,
            _ => throw new ArgumentException(text, nameof(text)),
        };
        return new RootCandidate(state, sequence);
    }
}
