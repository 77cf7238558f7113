using Everheap.Vm.Compilation;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Tests.Caching;

/// <summary>The sites of functions come back from a cache as they were; what is no such image gives none.</summary>
internal sealed class SiteImageTests
{
    private static readonly Site[][] Functions =
    [
        [new Site(SiteKind.Entry, 10, [new SiteValue(false, 0, ValType.I32), new SiteValue(false, 1, ValType.F64)], [], HasHandler: false, null)],
        [],
        [
            new Site(SiteKind.Entry, 2_000_000_000, [], [], HasHandler: false, null),
            new Site(SiteKind.Call, 300, [new SiteValue(false, 70_000, ValType.I64), new SiteValue(true, 3, ValType.V128), new SiteValue(true, 3, ValType.V128, IsHighHalf: true)], [ValType.ExternRef, ValTypes.Concrete(5)], HasHandler: true, [0, 2, 2]),
            new Site(SiteKind.Access, 301, [new SiteValue(false, 70_000, ValType.I64), new SiteValue(true, 3, ValType.F32)], [], HasHandler: false, null),
            new Site(SiteKind.Loop, 302, [new SiteValue(false, 70_000, ValType.I64)], [], HasHandler: false, [1]),
        ],
    ];

    [Test]
    public void Sites_come_back_as_they_were()
    {
        byte[] image = SiteImage.Write(Functions);

        for (int index = 0; index < Functions.Length; index++)
        {
            Assert.That(SiteImage.Read(image, index)!.Select(Describe), Is.EqualTo(Functions[index].Select(Describe)));
        }
    }

    [Test]
    public void What_was_cut_off_gives_none()
    {
        byte[] image = SiteImage.Write(Functions);

        for (int length = 0; length < image.Length; length++)
        {
            Assert.That(SiteImage.Read(image[..length], 2), Is.Null, $"{length} bytes");
        }
    }

    [Test]
    public void Any_other_bytes_give_none_or_some_but_no_more_than_they_have_room_for()
    {
        var random = new Random(1);
        byte[] image = SiteImage.Write(Functions);
        for (int round = 0; round < 20_000; round++)
        {
            byte[] changed = [.. image];
            for (int change = 0; change < 3; change++)
            {
                changed[random.Next(changed.Length)] = (byte)random.Next(256);
            }

            Site[]? sites = SiteImage.Read(changed, random.Next(4));

            Assert.That(sites?.Length ?? 0, Is.LessThanOrEqualTo(image.Length));
        }
    }

    private static string Describe(Site site) =>
        $"{site.Kind} {site.Offset} {string.Join(",", site.Values)} {string.Join(",", site.Results)} {site.HasHandler} {string.Join(",", site.Heights ?? [-1])}";
}
