using System.Diagnostics;

namespace Everheap.Engine.Benchmarks.Children;

/// <summary>A child that does one thing after the other as it is asked to, so that several can take turns.</summary>
internal sealed class ChildConversation : IDisposable
{
    /// <summary>
    /// The runtime's settings for a process of little memory: no second compilation by what was observed, whose bookkeeping takes some 5 MiB, and a collection whenever 1 MiB was
    /// allocated.
    /// </summary>
    private static readonly (string Name, string Value)[] SmallRuntime = [("DOTNET_TieredPGO", "0"), ("DOTNET_GCgen0size", "100000")];

    private static readonly TimeSpan ExitLimit = TimeSpan.FromMinutes(1);

    private readonly Process _process;
    private readonly Task<string> _error;

    /// <summary>Starts it.</summary>
    /// <param name="command">One of <see cref="ChildCommands"/>, which reads its input line by line, and answers each with a line.</param>
    /// <param name="limit">The memory that it may have; null for no limit.</param>
    public ChildConversation(IEnumerable<string> command, MemoryLimit? limit)
    {
        ProcessStartInfo start = ChildProcess.StartInfo(command, limit);
        foreach ((string name, string value) in SmallRuntime)
        {
            start.Environment[name] = value;
        }

        _process = Process.Start(start)!;
        _error = _process.StandardError.ReadToEndAsync();
    }

    /// <summary>Says a line, and waits for the answer.</summary>
    /// <exception cref="InvalidOperationException">It has ended.</exception>
    public string Ask(string line)
    {
        try
        {
            _process.StandardInput.WriteLine(line);
            _process.StandardInput.Flush();
        }
        catch (IOException)
        {
            // It has ended, and what it left on its standard error is told below.
        }

        return _process.StandardOutput.ReadLine() ?? throw new InvalidOperationException($"A child ended when it was asked for {line}: {_error.Result.Trim()}");
    }

    /// <summary>Ends the conversation, and waits for the child to end.</summary>
    /// <exception cref="InvalidOperationException">It did not end well.</exception>
    public void End()
    {
        _process.StandardInput.Close();
        if (!_process.WaitForExit(ExitLimit) || _process.ExitCode != 0)
        {
            throw new InvalidOperationException($"A child did not end well: {(_process.HasExited ? _error.Result.Trim() : "it did not end")}");
        }
    }

    /// <summary>Ends the child if it is still there.</summary>
    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }

        _process.Dispose();
    }
}
