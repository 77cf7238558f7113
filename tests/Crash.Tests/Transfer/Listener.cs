using System.Globalization;
using System.Text.RegularExpressions;

namespace Everheap.Crash.Tests.Transfer;

/// <summary>A receiver that listens on the loopback interface.</summary>
internal sealed partial class Listener : IDisposable
{
    private readonly EverheapProcess _process;

    private Listener(EverheapProcess process, int port, string fingerprint)
    {
        _process = process;
        Port = port;
        Fingerprint = fingerprint;
    }

    public int Port { get; }

    public string Address => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Port}");

    public string Fingerprint { get; }

    /// <summary>Starts one, and waits until it listens.</summary>
    public static Listener Start(ScratchFolder scratch, string heapPath, params string[] options)
    {
        EverheapProcess process = EverheapProcess.Start(scratch.Path, ["receive", heapPath, "--listen", "127.0.0.1:0", "--token-file", "token", .. options]);
        while (true)
        {
            Match match = Said().Match(process.ErrorSoFar());
            if (match.Success)
            {
                return new Listener(process, int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture), match.Groups[2].Value);
            }

            if (process.WaitForExit(TimeSpan.FromMilliseconds(5)))
            {
                throw new AssertionException($"the listener ended: {process.WaitForEnd().Error}");
            }
        }
    }

    /// <summary>Waits for its end.</summary>
    public CommandResult End() => _process.WaitForEnd();

    /// <summary>Sends SIGKILL, and waits for the end.</summary>
    public CommandResult Kill()
    {
        _process.Kill();
        return _process.WaitForEnd();
    }

    /// <summary>Sends Ctrl-C, and waits for the end that it asks for.</summary>
    public CommandResult Interrupt()
    {
        _process.Signal(EverheapProcess.SignalInterrupt);
        CommandResult result = _process.WaitForEnd();
        Assert.That(result.ExitCode, Is.EqualTo(130), result.Error);
        return result;
    }

    public void Dispose() => _process.Dispose();

    [GeneratedRegex(@"listening on 127\.0\.0\.1:(\d+); the certificate's fingerprint is ([0-9A-F]{64})\n")]
    private static partial Regex Said();
}
