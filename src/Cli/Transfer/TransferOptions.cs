using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Security.Cryptography;
using Everheap.Engine.Transfer;

namespace Everheap.Cli.Transfer;

/// <summary>Options of <c>send</c> and <c>receive</c>, and how they are read.</summary>
internal static class TransferOptions
{
    /// <summary>An option that takes the number of a checkpoint.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="description">What it does.</param>
    /// <returns>The option.</returns>
    public static Option<long?> Number(string name, string description) => new(name)
    {
        HelpName = "N",
        Description = description,
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number >= 1)
            {
                return number;
            }

            result.AddError($"{name} {text}: expected the number of a checkpoint");
            return null;
        },
    };

    /// <summary>An option that takes an address.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="helpName">What the help calls the value.</param>
    /// <param name="description">What it does.</param>
    /// <param name="needsHost">Whether a port alone is not enough.</param>
    /// <returns>The option.</returns>
    public static Option<TransferAddress?> Address(string name, string helpName, string description, bool needsHost) => new(name)
    {
        HelpName = helpName,
        Description = description,
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (TransferAddress.TryParse(text, out TransferAddress? address) && !(needsHost && (address!.Host is null || address.Port == 0)))
            {
                return address;
            }

            result.AddError($"{name} {text}: expected {helpName}, for example {(needsHost ? "backup.example:7000" : "7000")}");
            return null;
        },
    };

    /// <summary><c>--token-file</c>.</summary>
    /// <returns>The option.</returns>
    public static Option<string?> TokenFile() => new("--token-file")
    {
        HelpName = "FILE",
        Description = "A file with the secret that sender and receiver share: any text of 16 characters and more.",
    };

    /// <summary>Parses a resume point.</summary>
    /// <param name="result">The option's token.</param>
    /// <returns>The point.</returns>
    public static TransferResumePoint? ParseResumePoint(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        if (TransferResumePoint.TryParse(text, null, out TransferResumePoint point))
        {
            return point;
        }

        result.AddError($"--resume {text}: expected a resume point, as 'everheap receive' prints it");
        return null;
    }

    /// <summary>Parses a fingerprint: 64 hexadecimal digits, with or without colons.</summary>
    /// <param name="result">The option's token.</param>
    /// <returns>The digits.</returns>
    public static string? ParseFingerprint(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        string digits = text.Replace(":", "", StringComparison.Ordinal);
        if (digits.Length == 2 * SHA256.HashSizeInBytes && digits.All(char.IsAsciiHexDigit))
        {
            return digits;
        }

        result.AddError($"--fingerprint {text}: expected 64 hexadecimal digits, as 'everheap receive --listen' prints them");
        return null;
    }

    /// <summary>Refuses options for the network where there is none, and the network without a token.</summary>
    /// <param name="command">The command.</param>
    /// <param name="addressOption">The option that asks for the network.</param>
    /// <param name="address">Its value.</param>
    /// <param name="tokenFile">The value of <c>--token-file</c>.</param>
    /// <param name="otherOption">Another option for the network that was given; null if none was.</param>
    /// <exception cref="CommandException">They do not go together.</exception>
    public static void CheckNetwork(string command, string addressOption, TransferAddress? address, string? tokenFile, string? otherOption)
    {
        if (address is null && (tokenFile is not null || otherOption is not null))
        {
            throw new CommandException(ExitCode.Usage, $"{(tokenFile is not null ? "--token-file" : otherOption)} goes with {addressOption}; see: everheap {command} --help");
        }

        if (address is not null && tokenFile is null)
        {
            throw new CommandException(ExitCode.Usage, $"{addressOption} needs --token-file: the secret that sender and receiver share; see: everheap {command} --help");
        }
    }
}
