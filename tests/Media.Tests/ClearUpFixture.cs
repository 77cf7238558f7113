namespace Everheap.Media.Tests;

/// <summary>Before the first test: what earlier runs that were killed have left goes.</summary>
[SetUpFixture]
internal sealed class ClearUpFixture
{
    [OneTimeSetUp]
    public void ClearUp() => MediaFolder.ClearUpAfterTheKilled();
}
