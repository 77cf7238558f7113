using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Everheap.Vm.Compilation;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Caching;

/// <summary>What a cache keeps of a module: that it is valid, with the features that it uses; and the images of its chunks, with their sites.</summary>
/// <param name="folder">The files.</param>
/// <param name="key">The module's key.</param>
internal sealed class CachedModule(CacheFolder folder, string key)
{
    private const string ValidityName = "valid";
    private const string SitesSuffix = "-sites";
    private const string HeatName = "heat";

    /// <summary>A module's key: of its bytes, and of all that its compiled code depends on beside them.</summary>
    public static string KeyOf(ReadOnlySpan<byte> moduleBytes)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(SHA256.HashData(moduleBytes));
        hash.AppendData(typeof(CachedModule).Module.ModuleVersionId.ToByteArray());
        hash.AppendData(Encoding.UTF8.GetBytes(string.Create(
            CultureInfo.InvariantCulture, $"{Environment.Version}/{RuntimeInformation.ProcessArchitecture}/{RuntimeInformation.RuntimeIdentifier}")));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Whether the module is known to be valid.</summary>
    /// <param name="features">Given the features that its validation saw.</param>
    public bool IsValid(FeatureUses features)
    {
        if (folder.Read(key, ValidityName) is not byte[] content || !features.TryAdd(MemoryMarshal.Cast<byte, int>(content)))
        {
            return false;
        }

        folder.Touch(key);
        return true;
    }

    /// <summary>Keeps that the module is valid.</summary>
    public void MarkValid(FeatureUses features) => folder.Write(key, ValidityName, MemoryMarshal.AsBytes(features.Offsets));

    /// <summary>A chunk; null where it is not kept.</summary>
    public ChunkImage? ReadChunk(CodeOptions options, int chunk)
    {
        if (folder.Read(key, NameOf(options, chunk)) is not byte[] content || content.Length < sizeof(int))
        {
            return null;
        }

        int count = BinaryPrimitives.ReadInt32LittleEndian(content);
        long imageStart = sizeof(int) * (count + 1L);
        return count >= 0 && imageStart <= content.Length
            ? new ChunkImage(content[(int)imageStart..], MemoryMarshal.Cast<byte, int>(content.AsSpan(sizeof(int), count * sizeof(int))).ToArray())
            : null;
    }

    /// <summary>Keeps a chunk.</summary>
    public void WriteChunk(CodeOptions options, int chunk, ChunkImage image)
    {
        var content = new byte[(sizeof(int) * (image.Called.Length + 1)) + image.Image.Length];
        BinaryPrimitives.WriteInt32LittleEndian(content, image.Called.Length);
        MemoryMarshal.AsBytes<int>(image.Called).CopyTo(content.AsSpan(sizeof(int)));
        image.Image.CopyTo(content.AsSpan(sizeof(int) * (image.Called.Length + 1)));
        folder.Write(key, NameOf(options, chunk), content);
    }

    /// <summary>The sites of a chunk's functions (<see cref="SiteImage"/>); null where they are not kept.</summary>
    public byte[]? ReadSites(CodeOptions options, int chunk) => folder.Read(key, NameOf(options, chunk) + SitesSuffix);

    /// <summary>Keeps them. They are an entry of their own, as few programs that are started ask for those of more than a few functions.</summary>
    public void WriteSites(CodeOptions options, int chunk, byte[] sites) => folder.Write(key, NameOf(options, chunk) + SitesSuffix, sites);

    /// <summary>Which functions were called and hot (<see cref="Tiering"/>); null where that is not kept.</summary>
    public byte[]? ReadHeat(CodeOptions options) => folder.Read(key, PrefixOf(options) + HeatName);

    /// <summary>Keeps it.</summary>
    public void WriteHeat(CodeOptions options, ReadOnlySpan<byte> heat) => folder.Write(key, PrefixOf(options) + HeatName, heat);

    private static string NameOf(CodeOptions options, int chunk) => string.Create(CultureInfo.InvariantCulture, $"{PrefixOf(options)}{chunk}");

    private static string PrefixOf(CodeOptions options) =>
        string.Create(CultureInfo.InvariantCulture, $"{options.Addressing}-{options.StressInterval}-{options.ChunkBytes}-{options.TieredBytes}-");
}
