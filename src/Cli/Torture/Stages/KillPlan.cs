using System.Globalization;
using Everheap.Cli.Torture.Operations;

namespace Everheap.Cli.Torture.Stages;

/// <summary>What a kill is aimed at.</summary>
internal enum KillAim
{
    /// <summary>The store is closed, and the worker ends well.</summary>
    None,

    /// <summary>The opening of the store that the kill before left.</summary>
    Opening,

    /// <summary>The walk over everything after opening.</summary>
    Checking,

    /// <summary>Any time while the worker works.</summary>
    AnyTime,

    /// <summary>The first moments of an operation.</summary>
    Operation,

    /// <summary>The first moments after the file has grown.</summary>
    Growth,

    /// <summary>The closing of the store.</summary>
    Closing,
}

/// <summary>When a worker is killed.</summary>
/// <param name="Aim">What the kill is aimed at.</param>
/// <param name="AfterOperations">How many operations come first.</param>
/// <param name="Delay">How long to wait once it is there.</param>
/// <param name="Target">The operation aimed at.</param>
internal sealed record KillPlan(KillAim Aim, int AfterOperations, TimeSpan Delay, OperationKind? Target = null)
{
    private const int OperationsMax = 60;
    private const double OperationDelayMin = 0.000_005;
    private const double OperationDelayMax = 0.008;
    private const double GrowthDelayMax = 0.002;

    private static readonly TimeSpan WorkMax = TimeSpan.FromMilliseconds(150);

    private static readonly (OperationKind Kind, int Weight, string Name)[] Targets =
    [
        (OperationKind.Checkpoint, 40, "as a checkpoint begins"),
        (OperationKind.BeginCheckpoint, 20, "as a background checkpoint begins"),
        (OperationKind.WritePages, 8, "as pages are written"),
        (OperationKind.Fork, 6, "as a fork begins"),
        (OperationKind.ReceiveCheckpoint, 8, "as a transfer is received"),
        (OperationKind.Revert, 5, "as a revert begins"),
        (OperationKind.DropHeap, 5, "as a drop begins"),
        (OperationKind.DropCheckpoint, 5, "as a drop begins"),
        (OperationKind.Retain, 3, "as retention changes"),
        (OperationKind.SetRetention, 3, "as retention changes"),
        (OperationKind.Reclaim, 4, "as space is reclaimed"),
        (OperationKind.Compact, 8, "as a compaction begins"),
        (OperationKind.CloseHeap, 2, "as a heap is closed"),
        (OperationKind.WriteNote, 2, "as a note is written"),
    ];

    /// <summary>In words, for the report.</summary>
    public string Name => Aim switch
    {
        KillAim.None => "not at all",
        KillAim.Opening => "while opening",
        KillAim.Checking => "while checking after opening",
        KillAim.AnyTime => "at any time",
        KillAim.Growth => "while the file grows",
        KillAim.Closing => "while closing",
        _ => Array.Find(Targets, target => target.Kind == Target).Name,
    };

    /// <summary>Draws a moment.</summary>
    /// <param name="random">Where from.</param>
    /// <param name="opening">About how long opening takes.</param>
    public static KillPlan Draw(Random random, TimeSpan opening)
    {
        int after = random.Next(3, OperationsMax);
        return random.Next(100) switch
        {
            < 14 => new(KillAim.Opening, 0, opening * (1.2 * random.NextDouble())),
            < 18 => new(KillAim.Checking, 0, opening * random.NextDouble()),
            < 46 => new(KillAim.AnyTime, 0, WorkMax * random.NextDouble()),
            < 82 => new(KillAim.Operation, after, Short(random, OperationDelayMax), DrawTarget(random)),
            < 92 => new(KillAim.Growth, after, Short(random, GrowthDelayMax)),
            < 96 => new(KillAim.Closing, after, Short(random, OperationDelayMax)),
            _ => new(KillAim.None, after, TimeSpan.Zero),
        };
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Name}, {Delay.TotalMilliseconds:0.###} ms in");

    /// <summary>Short times mostly, down to some millionths of a second.</summary>
    private static TimeSpan Short(Random random, double secondsMax) =>
        TimeSpan.FromSeconds(OperationDelayMin * Math.Pow(secondsMax / OperationDelayMin, random.NextDouble()));

    private static OperationKind DrawTarget(Random random)
    {
        int draw = random.Next(Targets.Sum(target => target.Weight));
        foreach ((OperationKind kind, int weight, _) in Targets)
        {
            draw -= weight;
            if (draw < 0)
            {
                return kind;
            }
        }

        return OperationKind.Checkpoint;
    }
}
