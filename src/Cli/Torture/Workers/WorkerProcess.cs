using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Everheap.Cli.Torture.Operations;

namespace Everheap.Cli.Torture.Workers;

/// <summary>A worker, from the side of the one who started it.</summary>
internal sealed class WorkerProcess : IDisposable
{
    /// <summary>What the runtime reports of a process that died of SIGKILL; on Windows, of one that was terminated.</summary>
    private static readonly int KilledExitCode = OperatingSystem.IsWindows() ? -1 : 128 + 9;

    /// <summary>How long an answer may take. Far more than any does, so that it means a hang.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private const int ErrorCharactersMax = 8192;

    private readonly Process _process;
    private readonly Stream _requests;
    private readonly BlockingCollection<Reply> _replies = [];
    private readonly StringBuilder _error = new();
    private readonly Thread _reader;
    private readonly ManualResetEventSlim _ready = new();

    private WorkerProcess(Process process)
    {
        _process = process;
        _requests = process.StandardInput.BaseStream;
        process.ErrorDataReceived += (_, line) => AddError(line.Data);
        process.BeginErrorReadLine();
        _reader = new Thread(ReadReplies) { IsBackground = true, Name = "Worker replies" };
        _reader.Start();
    }

    /// <summary>Its process identifier.</summary>
    public int Id => _process.Id;

    /// <summary>Starts one, and waits until it is ready.</summary>
    /// <param name="command">How.</param>
    /// <exception cref="TortureFailure">It does not become ready.</exception>
    public static WorkerProcess Start(WorkerCommand command)
    {
        var worker = new WorkerProcess(Process.Start(command.Start(TortureWorker.Argument))!);
        if (worker._ready.Wait(Patience) && !worker.HasEnded)
        {
            return worker;
        }

        using (worker)
        {
            throw worker.Unanswered("the start of a worker");
        }
    }

    /// <summary>Asks for something.</summary>
    /// <param name="lane">The lane that is to do it.</param>
    /// <param name="operation">What.</param>
    public void Send(byte lane, Operation operation)
    {
        using var frame = new MemoryStream();
        using var writer = new BinaryWriter(frame);
        writer.Write(lane);
        writer.Write((byte)operation.Kind);
        operation.Encode(writer);
        writer.Flush();
        operation.Sent();
        try
        {
            Frames.Write(_requests, frame);
        }
        catch (IOException)
        {
            // It has ended; the end of its answers says so.
        }
    }

    /// <summary>Asks for something, and waits until it is done.</summary>
    /// <param name="operation">What.</param>
    /// <returns>The operation, answered.</returns>
    /// <exception cref="TortureFailure">It failed, or the worker ended.</exception>
    public T Call<T>(T operation)
        where T : Operation
    {
        Send(TortureWorker.ControlLane, operation);
        Reply? reply;
        do
        {
            if (!TryReceive(Patience, out reply))
            {
                throw Unanswered(operation.Kind.ToString());
            }
        }
        while (reply.Kind == OperationKind.CheckpointCompleted); // Said late: whoever asks here has waited for all of them.

        reply.HandTo(operation);
        return operation;
    }

    /// <summary>Takes an answer.</summary>
    /// <param name="time">How long to wait.</param>
    /// <param name="reply">The answer.</param>
    /// <returns>False if there was none in time, or the worker has ended.</returns>
    public bool TryReceive(TimeSpan time, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Reply? reply) => _replies.TryTake(out reply, time);

    /// <summary>Whether it has ended, and all its answers were taken.</summary>
    public bool HasEnded => _replies.IsCompleted;

    /// <summary>The most memory it has had, in bytes; 0 if the system does not say.</summary>
    public long PeakResidentBytes
    {
        get
        {
            if (!OperatingSystem.IsLinux() || _process.HasExited)
            {
                return 0;
            }

            string? line = File.ReadLines($"/proc/{_process.Id}/status").FirstOrDefault(text => text.StartsWith("VmHWM:", StringComparison.Ordinal));
            return line is null ? 0 : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
        }
    }

    /// <summary>Kills it (SIGKILL).</summary>
    public void Kill() => _process.Kill();

    /// <summary>Kills it if need be, and takes the answers that it still gave.</summary>
    /// <returns>The answers.</returns>
    /// <exception cref="TortureFailure">It ended by itself.</exception>
    public IReadOnlyList<Reply> KillAndDrain()
    {
        Kill();
        _process.WaitForExit();
        _reader.Join();
        List<Reply> replies = [.. _replies.GetConsumingEnumerable()];
        return _process.ExitCode == KilledExitCode ? replies : throw Ended();
    }

    /// <summary>What is to be said of a worker that does not answer.</summary>
    /// <param name="what">What it was asked for.</param>
    public TortureFailure Unanswered(string what)
    {
        if (HasEnded)
        {
            _process.WaitForExit();
            return Ended();
        }

        return new TortureFailure($"{what} was not answered within {Patience.TotalSeconds} seconds");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_process.HasExited)
        {
            Kill();
            _process.WaitForExit();
        }

        _reader.Join();
        _requests.Dispose();
        _process.Dispose();
        _replies.Dispose();
        _ready.Dispose();
    }

    private TortureFailure Ended()
    {
        string error;
        lock (_error)
        {
            error = _error.ToString();
        }

        return new TortureFailure(string.Create(CultureInfo.InvariantCulture, $"the process ended by itself, with exit code {_process.ExitCode}\n{error}"))
        {
            IsInterruption = _process.ExitCode == ExitCode.Interrupted,
        };
    }

    private void AddError(string? line)
    {
        lock (_error)
        {
            if (line is not null && _error.Length < ErrorCharactersMax)
            {
                _error.Append(line).Append('\n');
            }
        }
    }

    private void ReadReplies()
    {
        try
        {
            Stream pipe = _process.StandardOutput.BaseStream;
            while (Frames.Read(pipe) is { } message)
            {
                if (message.Length == 0)
                {
                    _ready.Set();
                    continue;
                }

                _replies.Add(Reply.Parse(message));
            }
        }
        catch (InvalidDataException garbled)
        {
            AddError($"its answers cannot be read: {garbled.Message}");
        }
        finally
        {
            _replies.CompleteAdding();
            _ready.Set();
        }
    }
}
