using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Everheap.Crash.Tests;

/// <summary>How standard output of a started command is collected.</summary>
internal enum OutputKind
{
    /// <summary>Appended to a file, as with <c>&gt;&gt;</c>.</summary>
    File,

    /// <summary>Read from a pipe.</summary>
    Pipe,
}

/// <summary>What a finished command left.</summary>
internal sealed record CommandResult(int ExitCode, string Output, string Error);

/// <summary>
/// The real command, as a process of its own. A shell opens the files and then becomes the command (exec), so that the process
/// identifier is the command's own.
/// </summary>
internal sealed partial class EverheapProcess : IDisposable
{
    /// <summary>The exit code that the runtime reports for a process that died of SIGKILL.</summary>
    public const int KilledExitCode = 128 + 9;

    public const int SignalInterrupt = 2;
    public const int SignalTerminate = 15;

    private static readonly TimeSpan ExitPatience = TimeSpan.FromMinutes(2);

    private readonly Process _process;
    private readonly StringBuilder _error = new();
    private readonly MemoryStream _output = new();
    private readonly Thread? _reader;
    private long _outputLength;

    private EverheapProcess(Process process, bool readsOutput)
    {
        _process = process;
        process.ErrorDataReceived += (_, line) =>
        {
            if (line.Data is not null)
            {
                lock (_error)
                {
                    _error.Append(line.Data).Append('\n');
                }
            }
        };
        process.BeginErrorReadLine();
        if (readsOutput)
        {
            _reader = new Thread(ReadOutput) { IsBackground = true };
            _reader.Start();
        }
    }

    /// <summary>What starts the command.</summary>
    public static string DotnetPath => System.Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";

    /// <summary>The command.</summary>
    public static string CommandPath => Path.Combine(AppContext.BaseDirectory, "everheap.dll");

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>Bytes read from the pipe so far.</summary>
    public long PipedLength => Interlocked.Read(ref _outputLength);

    /// <summary>Starts the command.</summary>
    /// <param name="folder">The current folder.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="inputPath">The file for standard input; null for none (end of file at once).</param>
    /// <param name="appendPath">The file that standard output is appended to; null for a pipe.</param>
    public static EverheapProcess Start(string folder, IEnumerable<string> arguments, string? inputPath = null, string? appendPath = null)
    {
        string redirection = "exec \"$@\" <\"$EVERHEAP_TEST_IN\"" + (appendPath is null ? "" : " >>\"$EVERHEAP_TEST_OUT\"");
        ProcessStartInfo start = Prepare(folder, redirection, arguments);
        start.RedirectStandardOutput = appendPath is null;
        start.Environment["EVERHEAP_TEST_IN"] = inputPath ?? "/dev/null";
        start.Environment["EVERHEAP_TEST_OUT"] = appendPath ?? "";
        return new EverheapProcess(Process.Start(start)!, appendPath is null);
    }

    /// <summary>Starts the command with a pipe for standard output whose reader has gone already.</summary>
    public static EverheapProcess StartWithClosedOutput(string folder, IEnumerable<string> arguments)
    {
        // The subshell's exit code is what counts; "true" reads nothing and is gone long before the guest prints.
        const string Pipeline = "{ \"$@\" </dev/null; echo $? >\"$EVERHEAP_TEST_OUT\"; } | true; exit $(cat \"$EVERHEAP_TEST_OUT\")";
        ProcessStartInfo start = Prepare(folder, Pipeline, arguments);
        start.RedirectStandardOutput = true;
        start.Environment["EVERHEAP_TEST_OUT"] = Path.Combine(folder, "exit-code");
        return new EverheapProcess(Process.Start(start)!, readsOutput: true);
    }

    /// <summary>Runs the command to its end.</summary>
    public static CommandResult Run(string folder, params string[] arguments)
    {
        using EverheapProcess process = Start(folder, arguments);
        return process.WaitForEnd();
    }

    /// <summary>Sends SIGKILL.</summary>
    public void Kill() => _process.Kill();

    /// <summary>Sends a signal.</summary>
    public void Signal(int number) => Assert.That(SendSignal(_process.Id, number), Is.Zero);

    public bool WaitForExit(TimeSpan time) => _process.WaitForExit(time);

    /// <summary>Waits for the end and returns everything.</summary>
    public CommandResult WaitForEnd()
    {
        if (!_process.WaitForExit(ExitPatience))
        {
            _process.Kill();
            Assert.Fail($"everheap was still running after {ExitPatience}; standard error: {ErrorSoFar()}");
        }

        // Without a time limit this also waits for the end of standard error.
        _process.WaitForExit();
        _reader?.Join();
        return new CommandResult(_process.ExitCode, Encoding.UTF8.GetString(_output.ToArray()), ErrorSoFar());
    }

    /// <summary>The piped output, as bytes; complete after <see cref="WaitForEnd"/>.</summary>
    public byte[] PipedOutput() => _output.ToArray();

    /// <summary>The largest resident set so far in KiB, as the kernel counts it; null when the process has gone.</summary>
    public long? PeakResidentKibibytes()
    {
        try
        {
            string line = File.ReadLines($"/proc/{_process.Id}/status").First(text => text.StartsWith("VmHWM:", StringComparison.Ordinal));
            return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
        }
        catch (Exception exception) when (exception is IOException or InvalidOperationException)
        {
            return null;
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int processId, int signal);

    private static ProcessStartInfo Prepare(string folder, string script, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo("/bin/sh")
        {
            WorkingDirectory = folder,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (string argument in (string[])["-c", script, "sh", DotnetPath, CommandPath, .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        return start;
    }

    /// <summary>What it has written to standard error so far.</summary>
    public string ErrorSoFar()
    {
        lock (_error)
        {
            return _error.ToString();
        }
    }

    private void ReadOutput()
    {
        Stream stream = _process.StandardOutput.BaseStream;
        byte[] buffer = new byte[64 * 1024];
        int count;
        while ((count = stream.Read(buffer)) > 0)
        {
            _output.Write(buffer, 0, count);
            Interlocked.Add(ref _outputLength, count);
        }
    }
}
