namespace Everheap.Cli.Torture;

/// <summary>Round after round, until the time is up, the rounds are done, the user has had enough, or too much has failed.</summary>
/// <param name="context">What the stages share.</param>
/// <param name="folder">Where files are made and kept.</param>
internal sealed class TortureRun(TortureContext context, TortureFolder folder)
{
    /// <summary>After so many failures more of them would tell nothing new.</summary>
    private const int FailuresMax = 10;

    /// <summary>Goes on until it is over.</summary>
    public void Run()
    {
        for (int round = 0; round < (context.Options.Rounds ?? int.MaxValue) && !context.IsOver && context.Tally.Failures.Count < FailuresMax; round++)
        {
            new TortureRound(context, folder, unchecked(context.Options.Seed + round) & int.MaxValue).Run();
            context.Tally.Add(Tally.Count.Rounds);
        }
    }
}
