using Everheap.Cli.Torture;
using Everheap.Cli.Torture.Stages;
using Everheap.Cli.Torture.Workers;

namespace Everheap.Crash.Tests.Torture;

/// <summary>What a stage of a torture needs, for tests: a folder, workers, and no end of time.</summary>
internal sealed class TortureWorkbench : IDisposable
{
    private readonly ScratchFolder _scratch = new();

    public TortureWorkbench()
    {
        var options = new TortureOptions { Folder = _scratch.Path, Seed = 1 };
        Context = new TortureContext(options, _scratch.Path, new WorkerCommand(EverheapProcess.DotnetPath, [EverheapProcess.CommandPath]), CancellationToken.None);
    }

    public TortureContext Context { get; }

    public string this[string name] => _scratch[name];

    /// <summary>A store that was worked on and killed a few times.</summary>
    /// <param name="seed">What it is drawn from.</param>
    /// <param name="lives">How often it was killed.</param>
    public StoreSession KilledStore(int seed, int lives)
    {
        var session = new StoreSession(Context, seed, _scratch["store.heap"]);
        session.Create();
        for (int life = 0; life < lives; life++)
        {
            session.Live(AtAnyTime(after: 40));
        }

        return session;
    }

    /// <summary>A kill after so many operations.</summary>
    public static KillPlan AtAnyTime(int after) => new(KillAim.Operation, after, TimeSpan.FromMilliseconds(1), Cli.Torture.Operations.OperationKind.Checkpoint);

    public void Dispose()
    {
        Context.Dispose();
        _scratch.Dispose();
    }
}
