using System.Runtime.CompilerServices;

namespace Everheap.Engine.Checkpoints;

// Problems: all are counted, the first are kept with what there is to say of them.
internal sealed partial class StoreVerifier
{
    private bool IsFull => _problems.Count >= HeapStore.VerifyProblemCountMax;

    private void Report(VerifySubject subject, long page, long offset, [InterpolatedStringHandlerArgument("")] ref ProblemText message) =>
        Report(subject, page, offset, IsFull ? "" : message.ToText());

    private void Report(VerifySubject subject, long page, long offset, string message)
    {
        _problemCount++;
        if (!IsFull)
        {
            _problems.Add(new VerifyProblem(subject, _heapName, page, offset, message, _checkpoint));
        }
    }

    /// <summary>What there is to say of a problem. It is put together only if it is kept: a file can have millions.</summary>
    [InterpolatedStringHandler]
    private ref struct ProblemText
    {
        private DefaultInterpolatedStringHandler _text;

        public ProblemText(int literalLength, int formattedCount, StoreVerifier verifier, out bool isKept)
        {
            isKept = !verifier.IsFull;
            _text = isKept ? new DefaultInterpolatedStringHandler(literalLength, formattedCount) : default;
        }

        public void AppendLiteral(string value) => _text.AppendLiteral(value);

        public void AppendFormatted<T>(T value) => _text.AppendFormatted(value);

        public void AppendFormatted<T>(T value, string? format) => _text.AppendFormatted(value, format);

        public string ToText() => _text.ToStringAndClear();
    }
}
