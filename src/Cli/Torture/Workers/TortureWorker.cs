using System.Runtime.InteropServices;

namespace Everheap.Cli.Torture.Workers;

/// <summary>
/// The process that <c>everheap torture</c> starts and kills: does what it is told over standard input, and answers over standard output. Not meant to be started by people.
/// </summary>
internal static class TortureWorker
{
    /// <summary>The argument that makes the command a worker.</summary>
    public const string Argument = "torture-worker";

    /// <summary>The lane of requests that one thread carries out in the order they came, by itself.</summary>
    public const byte ControlLane = 0;

    /// <summary>Serves until the other side closes the pipe.</summary>
    /// <returns>The exit code.</returns>
    public static int Run()
    {
        // A Ctrl-C at the terminal reaches this process, too; what becomes of it is for its starter to say.
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = true);
        using Stream requests = Console.OpenStandardInput();
        using var session = new WorkerSession(Console.OpenStandardOutput());
        WarmUp.Run();
        session.Reply(new MemoryStream()); // It is ready.
        var lanes = new Dictionary<byte, WorkerLane>();
        while (Frames.Read(requests) is { } request)
        {
            byte number = request[0];
            if (!lanes.TryGetValue(number, out WorkerLane? lane))
            {
                lane = new WorkerLane(session, number);
                lanes.Add(number, lane);
            }

            lane.Post(request);
        }

        // Whoever asked is gone, and nobody waits for what is still being done.
        Environment.Exit(ExitCode.Success);
        return ExitCode.Success;
    }
}
