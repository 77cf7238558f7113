using System.Runtime.ExceptionServices;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Validation;

/// <summary>
/// Validates all bodies of a module, on as many threads as there are processors. The answer is that of one thread that goes from the first body to the last: the error
/// reported is that of the first invalid body.
/// </summary>
internal sealed class BodyValidator
{
    /// <summary>Bytes of code that a thread takes at a time; a module with less is validated by its caller alone.</summary>
    private const int BatchBytes = 128 << 10;

    private readonly ValidationContext _context;
    private readonly FunctionBody[] _bodies;
    private readonly int[] _starts;
    private readonly Lock _gate = new();
    private ExceptionDispatchInfo? _failure;
    private int _failedBatch = int.MaxValue;
    private int _next;

    private BodyValidator(ValidationContext context)
    {
        _context = context;
        _bodies = [.. context.Module.Bodies];
        var starts = new List<int> { 0 };
        int bytes = 0;
        for (int body = 0; body < _bodies.Length; body++)
        {
            if (bytes >= BatchBytes)
            {
                starts.Add(body);
                bytes = 0;
            }

            bytes += _bodies[body].End - _bodies[body].Start;
        }

        _starts = [.. starts, _bodies.Length];
    }

    private int BatchCount => _starts.Length - 1;

    /// <summary>Validates the bodies.</summary>
    /// <param name="context">What they may refer to.</param>
    /// <param name="functions">Validates on the calling thread.</param>
    /// <exception cref="WasmFormatException">One is invalid.</exception>
    public static void Validate(ValidationContext context, FunctionValidator functions)
    {
        var validator = new BodyValidator(context);
        int helpers = Math.Min(Environment.ProcessorCount, validator.BatchCount) - 1;
        Task[] tasks = [.. Enumerable.Range(0, Math.Max(helpers, 0)).Select(_ => Task.Run(() => validator.Work(new FunctionValidator(context))))];
        validator.Work(functions);
        Task.WaitAll(tasks);
        validator._failure?.Throw();
    }

    // Batches are taken in order, so that all before the one that failed have been taken, too.
    private void Work(FunctionValidator functions)
    {
        int batch;
        while ((batch = Interlocked.Increment(ref _next) - 1) < BatchCount && batch < Volatile.Read(ref _failedBatch))
        {
            try
            {
                for (int body = _starts[batch]; body < _starts[batch + 1]; body++)
                {
                    functions.Validate(_context.Module.ImportedFunctionCount + body, _bodies[body]);
                }
            }
            catch (WasmFormatException exception)
            {
                Fail(batch, exception);
            }
        }
    }

    private void Fail(int batch, WasmFormatException exception)
    {
        lock (_gate)
        {
            if (batch < _failedBatch)
            {
                Volatile.Write(ref _failedBatch, batch);
                _failure = ExceptionDispatchInfo.Capture(exception);
            }
        }
    }
}
