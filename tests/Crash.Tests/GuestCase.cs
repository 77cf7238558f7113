using System.Security.Cryptography;
using System.Text.Json;

namespace Everheap.Crash.Tests;

/// <summary>A program with its arguments and inputs, and all that must come out: an entry of a cases file.</summary>
internal sealed class GuestCase
{
    private readonly string _folder;
    private readonly JsonElement _json;

    private GuestCase(string folder, string module, JsonElement json)
    {
        _folder = folder;
        _json = json;
        ModulePath = Path.Combine(folder, module);
        Name = Path.GetFileNameWithoutExtension(module) + "_" + json.GetProperty("name").GetString();
        Arguments = [.. json.GetProperty("args").EnumerateArray().Select(item => item.GetString()!)];
        ExitCode = json.GetProperty("exit").GetInt32();
        ExpectedOutput = File.ReadAllBytes(InFolder(json.GetProperty("stdout").GetString()!));
        StandardInputPath = json.GetProperty("stdin").GetString() is { } input ? InFolder(input) : null;
        Environment = json.TryGetProperty("env", out JsonElement env) ? [.. env.EnumerateArray().Select(item => item.GetString()!)] : [];
    }

    public string Name { get; }

    public string ModulePath { get; }

    public string[] Arguments { get; }

    public string[] Environment { get; }

    public string? StandardInputPath { get; }

    public int ExitCode { get; }

    public byte[] ExpectedOutput { get; }

    /// <summary>One of the samples.</summary>
    public static GuestCase Sample(string module, string caseName)
    {
        JsonElement root = Load(Path.Combine(RepositoryFolders.Samples, "cases.json"));
        JsonElement sample = root.GetProperty("samples").EnumerateArray().Single(item => item.GetProperty("module").GetString() == module + ".wasm");
        return Find(RepositoryFolders.Samples, sample, caseName);
    }

    /// <summary>One of the guest programs.</summary>
    /// <param name="path">Its folder below the guests, such as <c>apps/lua</c>.</param>
    /// <param name="caseName">Its case.</param>
    public static GuestCase Guest(string path, string caseName)
    {
        string folder = Path.Combine(RepositoryFolders.Guests, path);
        return Find(folder, Load(Path.Combine(folder, "cmd.json")), caseName);
    }

    /// <summary>Makes fresh folders for the program and returns the <c>--dir</c> options for them.</summary>
    /// <param name="scratch">Where to put them.</param>
    public List<string> PrepareFolders(string scratch)
    {
        var options = new List<string>();
        foreach (JsonElement entry in _json.GetProperty("dirs").EnumerateArray())
        {
            string guest = entry.GetProperty("guest").GetString()!;
            string host = HostPath(scratch, guest);
            Directory.CreateDirectory(host);
            if (entry.GetProperty("from").GetString() is { } from)
            {
                CopyFolder(InFolder(from), host);
            }

            options.AddRange(["--dir", $"{host}::{guest}"]);
        }

        return options;
    }

    /// <summary>Asserts that the files the program leaves are exactly those expected.</summary>
    /// <param name="scratch">Where <see cref="PrepareFolders"/> put the folders.</param>
    public void AssertFiles(string scratch)
    {
        foreach (JsonElement entry in _json.GetProperty("files").EnumerateArray())
        {
            string path = entry.GetProperty("path").GetString()!;
            byte[] actual = File.ReadAllBytes(HostPath(scratch, path));
            if (entry.TryGetProperty("same_as", out JsonElement same))
            {
                Assert.That(actual.AsSpan().SequenceEqual(File.ReadAllBytes(InFolder(same.GetString()!))), $"{path} differs from {same}");
            }

            if (entry.TryGetProperty("sha256", out JsonElement digest))
            {
                Assert.That(Convert.ToHexStringLower(SHA256.HashData(actual)), Is.EqualTo(digest.GetString()), path);
            }
        }

        foreach (JsonElement entry in _json.GetProperty("gone").EnumerateArray())
        {
            Assert.That(HostPath(scratch, entry.GetString()!), Does.Not.Exist);
        }
    }

    private static JsonElement Load(string path)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
        return document.RootElement.Clone();
    }

    private static GuestCase Find(string folder, JsonElement module, string caseName) => new(
        folder,
        module.GetProperty("module").GetString()!,
        module.GetProperty("cases").EnumerateArray().Single(item => item.GetProperty("name").GetString() == caseName));

    private static string HostPath(string scratch, string guestPath) => Path.Combine(scratch, guestPath.TrimStart('/'));

    /// <summary>Copies contents only: the source may be read-only, and its permissions would come along with File.Copy.</summary>
    private static void CopyFolder(string source, string target)
    {
        foreach (string file in Directory.EnumerateFiles(source))
        {
            File.WriteAllBytes(Path.Combine(target, Path.GetFileName(file)), File.ReadAllBytes(file));
        }

        foreach (string folder in Directory.EnumerateDirectories(source))
        {
            string inner = Path.Combine(target, Path.GetFileName(folder));
            Directory.CreateDirectory(inner);
            CopyFolder(folder, inner);
        }
    }

    private string InFolder(string path) => Path.Combine(_folder, path);
}
