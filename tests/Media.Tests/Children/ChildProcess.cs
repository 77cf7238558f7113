using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;

namespace Everheap.Media.Tests.Children;

/// <summary>This assembly as a process of its own, running one of the commands of <see cref="Program"/>. It ends when its standard input does, at the latest.</summary>
internal sealed class ChildProcess : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly Process _process;
    private readonly StringBuilder _error = new();
    private readonly BlockingCollection<string> _lines = [];

    private ChildProcess(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, line) =>
        {
            if (line.Data is null)
            {
                _lines.CompleteAdding();
            }
            else
            {
                _lines.Add(line.Data);
            }
        };
        process.ErrorDataReceived += (_, line) =>
        {
            lock (_error)
            {
                _error.AppendLine(line.Data);
            }
        };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public int Id => _process.Id;

    /// <summary>Complete once the process has ended.</summary>
    public string Error
    {
        get
        {
            lock (_error)
            {
                return _error.ToString().Trim();
            }
        }
    }

    /// <summary>Starts a command.</summary>
    public static ChildProcess Start(params string[] command) => Launch([], command);

    /// <summary>Starts a command as an ordinary user without any rights.</summary>
    public static ChildProcess StartUnprivileged(params string[] command) =>
        Launch([Tool.Find("setpriv")!, "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"], command);

    /// <summary>Runs a command to its end, and expects it to succeed.</summary>
    public static string[] Run(params string[] command)
    {
        using ChildProcess child = Start(command);
        return child.WaitForSuccess();
    }

    /// <summary>The next line that the command writes; null when it has written its last.</summary>
    public string? ReadLine()
    {
        if (_lines.TryTake(out string? line, Patience))
        {
            return line;
        }

        return _lines.IsCompleted ? null : throw new TimeoutException($"the child wrote nothing for {Patience}; standard error: {Error}");
    }

    /// <summary>A line that has been written already, if there is one.</summary>
    public bool TryReadLine(out string line) => _lines.TryTake(out line!);

    /// <summary>Asks the command to end.</summary>
    public void CloseInput() => _process.StandardInput.Close();

    /// <summary>Sends SIGKILL.</summary>
    public void Kill() => _process.Kill();

    /// <summary>Waits for the end, and returns the exit code.</summary>
    public int WaitForEnd()
    {
        if (!_process.WaitForExit(Patience))
        {
            _process.Kill();
            throw new TimeoutException($"the child was still running after {Patience}; standard error: {Error}");
        }

        _process.WaitForExit(); // and for the end of what it wrote
        return _process.ExitCode;
    }

    /// <summary>Waits for the end, and returns what was not read yet of what it wrote.</summary>
    public string[] WaitForSuccess()
    {
        Assert.That(WaitForEnd(), Is.Zero, Error);
        return [.. _lines.GetConsumingEnumerable()];
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
        _lines.Dispose();
    }

    private static ChildProcess Launch(string[] prefix, string[] command)
    {
        string dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? Tool.Find("dotnet") ?? "dotnet";
        string[] line = [.. prefix, dotnet, typeof(ChildProcess).Assembly.Location, .. command];
        return new ChildProcess(Process.Start(new ProcessStartInfo(line[0], line[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        })!);
    }
}
