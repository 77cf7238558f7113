using Everheap.Vm.Caching;
using Everheap.Vm.Validation;

namespace Everheap.Vm.Modules;

/// <content>Decoding.</content>
public sealed partial class Module
{
    private const int StreamChunkBytes = 1 << 16;

    /// <summary>Decodes and validates a module in the binary format of WebAssembly 3.0 (docs/webassembly.md says what else is understood).</summary>
    /// <param name="bytes">The module, whole. It is kept, not copied: it must not be changed any more.</param>
    /// <param name="cache">Where its compiled code is kept, and that it is valid; null for nowhere.</param>
    /// <returns>The module. Cost: linear in the module's size, about 20 ms per MiB.</returns>
    /// <exception cref="WasmFormatException">
    /// The module is malformed, invalid, larger than <see cref="ModuleLimits"/> allows, or needs an unsupported feature
    /// (<see cref="WasmFormatException.UnsupportedFeature"/> then names it).
    /// </exception>
    public static Module Decode(ReadOnlyMemory<byte> bytes, CodeCache? cache = null)
    {
        Task<CachedModule>? entry = cache is null ? null : Task.Run(() => cache.EntryOf(bytes.Span));
        Module module = ModuleDecoder.Decode(bytes);
        module.Cached = entry?.Result;
        if (module.Cached?.IsValid(module.FeatureUses) != true)
        {
            ModuleValidator.Validate(module);
            module.Cached?.MarkValid(module.FeatureUses);
        }

        return module;
    }

    /// <summary>Reads, decodes and validates a module from a file.</summary>
    /// <param name="path">The file's path.</param>
    /// <param name="cache">As for <see cref="Decode"/>.</param>
    /// <returns>The module.</returns>
    /// <exception cref="WasmFormatException">As for <see cref="Decode"/>.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public static Module Load(string path, CodeCache? cache = null)
    {
        using FileStream stream = File.OpenRead(path);
        return Load(stream, cache);
    }

    /// <summary>
    /// Reads a stream to its end, and decodes and validates the module in it. No more than
    /// <see cref="ModuleLimits.ModuleBytesMax"/> bytes and one are read.
    /// </summary>
    /// <param name="stream">The stream, from its current position on. It is left open.</param>
    /// <param name="cache">As for <see cref="Decode"/>.</param>
    /// <returns>The module.</returns>
    /// <exception cref="WasmFormatException">As for <see cref="Decode"/>.</exception>
    /// <exception cref="IOException">The stream cannot be read.</exception>
    public static Module Load(Stream stream, CodeCache? cache = null) => Load(stream, ModuleLimits.ModuleBytesMax, cache);

    internal static Module Load(Stream stream, int bytesMax, CodeCache? cache = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        long expected = stream.CanSeek ? stream.Length - stream.Position : 0;
        byte[] bytes = new byte[Math.Min(Math.Max(expected + 1, StreamChunkBytes), bytesMax + 1L)];
        int length = 0;
        while (true)
        {
            int read = stream.Read(bytes, length, bytes.Length - length);
            if (read == 0)
            {
                return Decode(bytes.AsMemory(0, length), cache);
            }

            length += read;
            if (length > bytesMax)
            {
                throw new WasmFormatException(bytesMax, $"the module is too large: at most {bytesMax:N0} bytes are allowed");
            }

            if (length == bytes.Length)
            {
                Array.Resize(ref bytes, (int)Math.Min(2L * length, bytesMax + 1L));
            }
        }
    }
}
