using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Everheap.Engine.Storage;

namespace Everheap.Engine.Transfer;

/// <summary>Where a transfer that broke off can go on: what the receiver tells the sender, as a line of text if need be.</summary>
/// <param name="ToContentId">The content id of the checkpoint that is transferred.</param>
/// <param name="FromContentId">The content id of the checkpoint that it is based on; <see cref="Guid.Empty"/> if it is transferred whole.</param>
/// <param name="NextPage">The first page that the receiver does not have for certain.</param>
public readonly record struct TransferResumePoint(Guid ToContentId, Guid FromContentId, ulong NextPage) : IParsable<TransferResumePoint>
{
    private const char Separator = '-';
    private const string Whole = "whole";

    /// <summary>Reads what <see cref="ToString"/> wrote.</summary>
    /// <param name="s">The text.</param>
    /// <param name="provider">Not used.</param>
    /// <exception cref="FormatException">The text is not a resume point, or a mistyped one.</exception>
    public static TransferResumePoint Parse(string s, IFormatProvider? provider = null)
    {
        ArgumentNullException.ThrowIfNull(s);
        return TryParse(s, provider, out var result)
            ? result
            : throw new FormatException($"'{s}' is not a resume point, or not all of one.");
    }

    /// <summary>Reads what <see cref="ToString"/> wrote.</summary>
    /// <param name="s">The text.</param>
    /// <param name="provider">Not used.</param>
    /// <param name="result">The point.</param>
    /// <returns>False if the text is not a resume point, or a mistyped one.</returns>
    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out TransferResumePoint result)
    {
        result = default;
        if (s?.Trim().Split(Separator) is not [var to, var from, var page, var check])
        {
            return false;
        }

        var fromId = Guid.Empty;
        if (!Guid.TryParseExact(to, "N", out var toId)
            || (from != Whole && !Guid.TryParseExact(from, "N", out fromId))
            || !ulong.TryParse(page, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var nextPage)
            || nextPage > TransferFormat.PageEnd)
        {
            return false;
        }

        var point = new TransferResumePoint(toId, fromId, nextPage);
        if (!check.Equals(CheckOf(point.Text()), StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        result = point;
        return true;
    }

    /// <summary>The point as one word of letters, digits and hyphens, with a check against typing errors.</summary>
    public override string ToString()
    {
        var text = Text();
        return text + Separator + CheckOf(text);
    }

    private static string CheckOf(string text) =>
        ((uint)DiskView.Hash(Encoding.ASCII.GetBytes(text))).ToString("x8", CultureInfo.InvariantCulture);

    private string Text()
    {
        var from = FromContentId == Guid.Empty ? Whole : FromContentId.ToString("N");
        return string.Create(CultureInfo.InvariantCulture, $"{ToContentId:N}{Separator}{from}{Separator}{NextPage:x}");
    }
}
