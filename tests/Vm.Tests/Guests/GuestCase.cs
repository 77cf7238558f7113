using System.Text.Json;

namespace Everheap.Vm.Tests.Guests;

/// <summary>A folder that the guest sees: a fresh scratch folder, filled with a copy of <c>From</c> if there is one.</summary>
internal sealed record GuestDirectory(string GuestPath, string? From);

/// <summary>A file that must be there afterwards; what is null is not compared.</summary>
internal sealed record GuestFile(string GuestPath, long? Bytes, string? Sha256, string? SameAs);

/// <summary>
/// One run of a program: what it is given and what must come out. Read from <c>cmd.json</c>, <c>cases.json</c> or
/// <c>expected.json</c>, whose fields are described beside them.
/// </summary>
internal sealed record GuestCase
{
    public required string Name { get; init; }

    public required string ModulePath { get; init; }

    public IReadOnlyList<string> Arguments { get; init; } = [];

    public IReadOnlyList<KeyValuePair<string, string>> Environment { get; init; } = [];

    /// <summary>The file to feed to standard input; null for end of file at once.</summary>
    public string? StandardInputPath { get; init; }

    public IReadOnlyList<GuestDirectory> Directories { get; init; } = [];

    public int ExitCode { get; init; }

    public required Func<byte[]> ExpectedOutput { get; init; }

    /// <summary>A line that begins so is the program's own timing and is left out of the comparison.</summary>
    public string? VaryingLinePrefix { get; init; }

    public IReadOnlyList<GuestFile> Files { get; init; } = [];

    public IReadOnlyList<string> Gone { get; init; } = [];

    public override string ToString() => Name;

    /// <summary>Reads one entry of the <c>cases</c> list; paths in it are relative to <paramref name="folder"/>.</summary>
    public static GuestCase Read(string folder, string module, JsonElement entry)
    {
        string At(string path) => Path.Combine(folder, path);
        return new GuestCase
        {
            Name = $"{Path.GetFileNameWithoutExtension(module)} {entry.GetProperty("name").GetString()}",
            ModulePath = At(module),
            Arguments = ReadStrings(entry, "args"),
            Environment = [.. ReadStrings(entry, "env").Select(pair => pair.Split('=', 2)).Select(pair => KeyValuePair.Create(pair[0], pair[1]))],
            StandardInputPath = entry.GetProperty("stdin").GetString() is string input ? At(input) : null,
            Directories = [.. entry.GetProperty("dirs").EnumerateArray().Select(dir => new GuestDirectory(
                dir.GetProperty("guest").GetString()!,
                dir.GetProperty("from").GetString() is string from ? At(from) : null))],
            ExitCode = entry.GetProperty("exit").GetInt32(),
            ExpectedOutput = () => File.ReadAllBytes(At(entry.GetProperty("stdout").GetString()!)),
            Files = [.. entry.GetProperty("files").EnumerateArray().Select(file => new GuestFile(
                file.GetProperty("path").GetString()!,
                file.TryGetProperty("bytes", out JsonElement bytes) ? bytes.GetInt64() : null,
                file.TryGetProperty("sha256", out JsonElement sha256) ? sha256.GetString() : null,
                file.TryGetProperty("same_as", out JsonElement sameAs) ? At(sameAs.GetString()!) : null))],
            Gone = ReadStrings(entry, "gone"),
        };
    }

    internal static IReadOnlyList<string> ReadStrings(JsonElement entry, string property) =>
        entry.TryGetProperty(property, out JsonElement array) ? [.. array.EnumerateArray().Select(item => item.GetString()!)] : [];
}
