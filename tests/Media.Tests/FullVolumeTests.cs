using Everheap.Media.Tests.Histories;
using Everheap.Media.Tests.Volumes;

namespace Everheap.Media.Tests;

/// <summary>Real file systems, filled to the last byte under a store.</summary>
[TestFixture]
internal sealed class FullVolumeTests
{
    private const long RoomForAFew = 16L << 20;

    [Test]
    public void A_store_fills_a_file_system_loses_nothing_and_goes_on_when_there_is_room([Values] VolumeKind kind)
    {
        using Volume volume = Volume.Mount(kind);
        volume.FillUp(leave: RoomForAFew);
        FullMediumScenario scenario = new(volume["store.heap"], TestLength.Seed);
        scenario.Run(volume.MakeRoom);
        TestContext.Out.WriteLine($"{kind}: full after checkpoint {scenario.CommittedBeforeFull}: {scenario.Full!.Message} EVERHEAP_SEED={TestLength.Seed}");
        Assert.That(scenario.CommittedBeforeFull, Is.GreaterThan(0));
    }
}
