using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Stages;
using Everheap.Engine;

namespace Everheap.Crash.Tests.Torture;

/// <summary>What the torture compares with: bytes that follow from numbers, and the output of a program that was not run.</summary>
[TestFixture]
internal sealed class PageContentTests
{
    private const int Salt = 77;

    [TestCase(0u, 0u)]
    [TestCase(0u, 9u)]
    [TestCase(8u, 8u)]
    [TestCase(8u, 9u)]
    public void A_page_says_which_writes_it_shows(uint body, uint patch)
    {
        byte[] page = Page(3, new PageValue(body, patch));
        Assert.That(PageContent.TryRead(page, Salt, 3, out PageValue value));
        Assert.That(value, Is.EqualTo(new PageValue(body, patch)));
    }

    [Test]
    public void A_page_with_any_bit_changed_is_of_no_write()
    {
        byte[] page = Page(3, new PageValue(8, 9));
        for (int bit = 0; bit < 8 * page.Length; bit += 5)
        {
            page[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.That(PageContent.TryRead(page, Salt, 3, out _), Is.False, $"bit {bit}");
            page[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Test]
    public void A_page_of_another_place_or_store_is_of_no_write()
    {
        byte[] page = Page(3, PageValue.Whole(8));
        Assert.That(PageContent.TryRead(page, Salt, 4, out _), Is.False);
        Assert.That(PageContent.TryRead(page, Salt + 1, 3, out _), Is.False);
    }

    [Test]
    public void Writing_a_page_and_then_its_middle_gives_the_bytes_of_both()
    {
        byte[] page = Page(3, PageValue.Whole(8));
        PageContent.FillPatch(page.AsSpan(PageContent.PatchOffset, PageContent.PatchLength), Salt, 3, 9);
        Assert.That(page, Is.EqualTo(Page(3, new PageValue(8, 9))));
    }

    [TestCase("small")]
    [TestCase("medium")]
    public void The_primes_are_those_that_the_program_prints(string name)
    {
        GuestCase primes = GuestCase.Sample("primes", name);
        if (int.Parse(primes.Arguments[1], System.Globalization.CultureInfo.InvariantCulture) > 1_000_000)
        {
            // The same lines, of which each takes what the whole small case takes: the first is enough.
            string first = System.Text.Encoding.UTF8.GetString(primes.ExpectedOutput).Split('\n')[0];
            Assert.That(first[4..], Is.EqualTo(PrimesProgram.Output(1, int.Parse(primes.Arguments[1], System.Globalization.CultureInfo.InvariantCulture)).Split('\n')[0][4..]));
            return;
        }

        string output = PrimesProgram.Output(
            int.Parse(primes.Arguments[0], System.Globalization.CultureInfo.InvariantCulture),
            int.Parse(primes.Arguments[1], System.Globalization.CultureInfo.InvariantCulture));
        Assert.That(output, Is.EqualTo(System.Text.Encoding.UTF8.GetString(primes.ExpectedOutput)));
    }

    private static byte[] Page(ulong number, PageValue value)
    {
        byte[] page = new byte[PersistentHeap.PageSize];
        PageContent.Fill(page, Salt, number, value);
        return page;
    }
}
