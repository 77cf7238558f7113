using System.Globalization;

namespace Everheap.Cli.Torture.Display;

/// <summary>A line now and then, for output that is not a terminal.</summary>
internal sealed class PlainProgress : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private readonly TortureContext _context;
    private readonly Timer _timer;

    /// <summary>Begins.</summary>
    /// <param name="context">The run.</param>
    public PlainProgress(TortureContext context)
    {
        _context = context;
        _timer = new Timer(_ => Write(), null, Interval, Interval);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        using var ended = new ManualResetEvent(false);
        if (_timer.Dispose(ended))
        {
            ended.WaitOne();
        }
    }

    private void Write()
    {
        Tally tally = _context.Tally;
        using TextWriter output = PlainOutput.Open();
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{_context.Elapsed:hh\\:mm\\:ss} round {tally[Tally.Count.Rounds] + 1}: {tally.KillCount} kills, {tally[Tally.Count.Checkpoints]} checkpoints, {tally[Tally.Count.PagesCompared]} pages compared, {tally.Failures.Count} failures"));
    }
}
