using System.Globalization;
using System.Net;

namespace Everheap.Cli.Transfer;

/// <summary>Where to connect to or to listen.</summary>
/// <param name="Host">A name or an address; null for every address of this machine.</param>
/// <param name="Port">The port; 0 for any that is free.</param>
internal sealed record TransferAddress(string? Host, int Port)
{
    /// <summary>Parses <c>HOST:PORT</c>, <c>[ADDRESS]:PORT</c> or <c>PORT</c>.</summary>
    /// <param name="text">The text.</param>
    /// <param name="address">The address.</param>
    /// <returns>Whether it is one.</returns>
    public static bool TryParse(string text, out TransferAddress? address)
    {
        int colon = text.LastIndexOf(':');
        string host = colon < 0 ? "" : text[..colon];
        address = null;
        if (!int.TryParse(text[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out int port) || port > IPEndPoint.MaxPort || (colon >= 0 && host.Length == 0))
        {
            return false;
        }

        if (host.StartsWith('[') && host.EndsWith(']'))
        {
            host = host[1..^1];
        }
        else if (host.Contains(':', StringComparison.Ordinal))
        {
            return false; // an IPv6 address without its brackets
        }

        address = new TransferAddress(colon < 0 ? null : host, port);
        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => Host is null
        ? Port.ToString(CultureInfo.InvariantCulture)
        : string.Create(CultureInfo.InvariantCulture, $"{(Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]" : Host)}:{Port}");
}
