using Everheap.Cli;

namespace Everheap.Crash.Tests;

[TestFixture]
internal sealed class ByteSizeTests
{
    [TestCase("0", 0)]
    [TestCase("4096", 4096)]
    [TestCase("12B", 12)]
    [TestCase("512KiB", 512L << 10)]
    [TestCase("64MiB", 64L << 20)]
    [TestCase("64mib", 64L << 20)]
    [TestCase("64 MiB", 64L << 20)]
    [TestCase("1GiB", 1L << 30)]
    [TestCase("2TiB", 2L << 40)]
    [TestCase("10kB", 10_000)]
    [TestCase("10MB", 10_000_000)]
    [TestCase("3GB", 3_000_000_000)]
    [TestCase("9223372036854775807", long.MaxValue)]
    public void A_size_is_read(string text, long expected)
    {
        Assert.That(ByteSize.TryParse(text, out long bytes));
        Assert.That(bytes, Is.EqualTo(expected));
    }

    [TestCase("")]
    [TestCase("MiB")]
    [TestCase("-1")]
    [TestCase("+1")]
    [TestCase("1.5GiB")]
    [TestCase("64M")]
    [TestCase("64 MiB x")]
    [TestCase("0x10")]
    [TestCase("9223372036854775808")]
    [TestCase("8388608TiB")]
    public void What_is_not_a_size_is_refused(string text) => Assert.That(ByteSize.TryParse(text, out _), Is.False);

    [TestCase(12, "12 B")]
    [TestCase(1024, "1 KiB")]
    [TestCase(1536, "1.5 KiB")]
    [TestCase(64L << 20, "64 MiB")]
    [TestCase(1L << 41, "2 TiB")]
    public void A_size_is_written_for_people(long bytes, string expected) => Assert.That(ByteSize.Format(bytes), Is.EqualTo(expected));
}
