using System.Diagnostics;
using System.Globalization;
using System.Text;
using Everheap.Engine.Transfer;

namespace Everheap.Cli.Transfer;

/// <summary>Tells on standard error how far a transfer is, in one line that is written over, where that is a terminal; otherwise says nothing.</summary>
internal sealed class ProgressLine : IProgress<TransferProgress>, IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    private readonly string _verb;
    private readonly Stream? _terminal = Console.IsErrorRedirected ? null : Console.OpenStandardError();
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private TimeSpan _shownAt;
    private int _width;

    /// <summary>Starts the clock.</summary>
    /// <param name="verb">What is done: "sent" or "received".</param>
    public ProgressLine(string verb) => _verb = verb;

    /// <inheritdoc/>
    public void Report(TransferProgress value)
    {
        TimeSpan now = _watch.Elapsed;
        if (_terminal is null || now - _shownAt < Interval)
        {
            return;
        }

        _shownAt = now;
        string share = value.PagesExpected is > 0 and { } expected
            ? string.Create(CultureInfo.InvariantCulture, $" ({100.0 * value.Pages / expected:F0} %)")
            : "";
        Show(string.Create(
            CultureInfo.InvariantCulture,
            $"{ByteSize.Format(value.Bytes)} {_verb}{share}, {ByteSize.Format((long)(value.Bytes / now.TotalSeconds))}/s"));
    }

    /// <summary>Wipes the line, so that something else can be written.</summary>
    public void Clear()
    {
        if (_width > 0)
        {
            Show("");
            Write("\r");
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Clear();
        _terminal?.Dispose();
    }

    private void Show(string text)
    {
        Write("\r" + text.PadRight(_width));
        _width = text.Length;
    }

    private void Write(string text) => _terminal?.Write(Encoding.UTF8.GetBytes(text));
}
