using Everheap.Cli.Torture.Stages;

namespace Everheap.Cli.Torture;

/// <summary>One round: a store is made, worked on and killed over and over, looked at damaged and by several at once, and emptied; then a program is run and killed.</summary>
/// <param name="context">What the stages share.</param>
/// <param name="folder">Where files are made and kept.</param>
/// <param name="seed">What everything in it is drawn from.</param>
internal sealed class TortureRound(TortureContext context, TortureFolder folder, int seed)
{
    /// <summary>Lives of a store.</summary>
    private const int Lives = 14;

    /// <summary>How long to wait for this process's own Ctrl-C, once another has seen it.</summary>
    private static readonly TimeSpan InterruptionPatience = TimeSpan.FromSeconds(1);

    private readonly Random _random = new(seed);
    private readonly string _store = context["store.heap"];
    private readonly string _older = context["older.heap"];
    private readonly string _image = context["image.heap"];

    /// <summary>Goes through the round, as far as there is time.</summary>
    public void Run()
    {
        RunStore();
        if (GuestStage.IsAvailable && !context.IsOver)
        {
            var guest = new GuestStage(context, _random);
            Stage("programs", guest.Run, guest.HeapPath);
        }

        folder.Clear();
    }

    private void RunStore()
    {
        using var session = new StoreSession(context, seed, _store);
        if (!Stage("kills", () => KillAgainAndAgain(session), _store, session) || context.IsStopped)
        {
            return;
        }

        bool isFine = Stage("damaged files", () => new ImageStage(context, session.Model, _random).Run(_store, _older, _image), _image);
        File.Delete(_image);
        File.Delete(_older);
        if (isFine && Stage("several openers", () => new OpenerStage(context, session.Model, _store).Run(), _store) && !context.IsStopped)
        {
            Stage("kills", session.Finish, _store, session);
        }
    }

    private void KillAgainAndAgain(StoreSession session)
    {
        session.Create();
        int olderAt = _random.Next(2, Lives - 1);
        for (int life = 0; life < Lives && (life <= olderAt || !context.IsOver) && !context.IsStopped; life++)
        {
            if (life == olderAt)
            {
                File.Copy(_store, _older, overwrite: true);
            }

            session.Live(KillPlan.Draw(_random, session.OpeningTime));
        }

        session.Check();
    }

    /// <summary>Does something, and notes if it fails.</summary>
    /// <returns>Whether it did not.</returns>
    private bool Stage(string name, Action action, string evidence, StoreSession? session = null)
    {
        try
        {
            action();
            return true;
        }
        catch (TortureFailure failure)
        {
            if (!failure.IsInterruption || !context.WaitForStop(InterruptionPatience))
            {
                string story = session is null ? "" : $"\nits lives, the last one last:\n{session.Story}";
                context.Tally.AddFailure(new FailureRecord(name, seed, failure.Message + story, folder.Keep(evidence, seed)));
            }

            return false;
        }
    }
}
