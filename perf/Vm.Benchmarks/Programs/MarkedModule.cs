using Everheap.Vm.Benchmarks.Startup;
using Everheap.Vm.Modules;
using Everheap.Vm.Wasi;

namespace Everheap.Vm.Benchmarks.Programs;

/// <summary>
/// A copy of a module whose <c>_start</c> first of all writes one byte to standard output. So every peer shows in the same way, to whoever reads its output, when it has got to the
/// program's first instructions.
/// </summary>
internal static class MarkedModule
{
    /// <summary>The byte.</summary>
    public const byte Mark = (byte)'>';

    private const byte CodeSection = 10;
    private const int PreambleBytes = 8;

    // A vector of one piece lies at 0, the byte it names at 8, and the count of what was written at 12. What lay there is put back.
    private const int VectorAddress = 0;
    private const int MarkAddress = 8;
    private const int WrittenAddress = 12;

    /// <summary>Makes the copy.</summary>
    /// <param name="bytes">A valid module.</param>
    /// <returns>The copy's bytes; null if the module has no <c>_start</c>, no memory of 32-bit addresses, or does not import <c>fd_write</c>.</returns>
    public static byte[]? Create(byte[] bytes)
    {
        Module module = Module.Decode(bytes);
        Export? start = module.Exports.FirstOrDefault(export => export.Name == "_start" && export.Kind == ExternalKind.Function);
        Import? write = module.Imports.FirstOrDefault(import => import is { ModuleName: WasiHost.ModuleName, Name: "fd_write", Kind: ExternalKind.Function });
        if (start is null || write is null || module.Memories is not [{ Is64: false }, ..] || start.Index < module.ImportedFunctionCount)
        {
            return null;
        }

        var copy = new WasmWriter();
        copy.Bytes(bytes.AsSpan(0, PreambleBytes));
        var reader = new ByteReader(bytes, PreambleBytes, bytes.Length);
        while (!reader.IsAtEnd)
        {
            byte section = reader.ReadByte("section");
            int length = reader.ReadByteCount("section's size");
            if (section == CodeSection)
            {
                copy.Section(section, Code(bytes, new ByteReader(bytes, reader.Offset, reader.Offset + length), module.Bodies[start.Index - module.ImportedFunctionCount], write.Index));
            }
            else
            {
                copy.Byte(section).U32(length).Bytes(bytes.AsSpan(reader.Offset, length));
            }

            reader.ReadBytes(length, "section");
        }

        return copy.Written.ToArray();
    }

    private static WasmWriter Code(byte[] bytes, ByteReader reader, FunctionBody start, int write)
    {
        WasmWriter prologue = Prologue(write);
        int count = (int)reader.ReadU32("function bodies");
        WasmWriter code = new WasmWriter().U32(count);
        for (int index = 0; index < count; index++)
        {
            int length = reader.ReadByteCount("body's size");
            int from = reader.Offset, end = from + length;
            if (start.Start >= from && start.Start < end)
            {
                code.U32(length + prologue.Length).Bytes(bytes.AsSpan(from..start.Start)).Bytes(prologue.Written).Bytes(bytes.AsSpan(start.Start..end));
            }
            else
            {
                code.U32(length).Bytes(bytes.AsSpan(from, length));
            }

            reader.ReadBytes(length, "body");
        }

        return code;
    }

    private static WasmWriter Prologue(int write)
    {
        const byte I32Const = 0x41, I64Const = 0x42, I64Load = 0x29, I32Store = 0x36, I64Store = 0x37, Call = 0x10, Drop = 0x1A;
        const int StandardOutput = 1, OnePiece = 1;
        var code = new WasmWriter();
        foreach (int address in (int[])[VectorAddress, MarkAddress])
        {
            code.Byte(I32Const).S64(address).Byte(I32Const).S64(address).Byte(I64Load).U32(3).U32(0);
        }

        code.Byte(I32Const).S64(VectorAddress).Byte(I64Const).S64((1L << 32) | MarkAddress).Byte(I64Store).U32(3).U32(0);
        code.Byte(I32Const).S64(MarkAddress).Byte(I32Const).S64(Mark).Byte(I32Store).U32(2).U32(0);
        code.Byte(I32Const).S64(StandardOutput).Byte(I32Const).S64(VectorAddress).Byte(I32Const).S64(OnePiece).Byte(I32Const).S64(WrittenAddress);
        code.Byte(Call).U32(write).Byte(Drop);
        return code.Byte(I64Store).U32(3).U32(0).Byte(I64Store).U32(3).U32(0);
    }
}
