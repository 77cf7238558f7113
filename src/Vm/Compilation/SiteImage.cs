using System.Buffers.Binary;
using System.Text;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>
/// The sites of a chunk's functions, as bytes: where each function's begin (4 bytes each, and where the last ends), then the sites. Of the values of a site those are left out that the site
/// before it begins with, too: neighbours have most of them in common.
/// </summary>
internal static class SiteImage
{
    [Flags]
    private enum ValueKinds
    {
        None = 0,
        IsStack = 1,
        IsHighHalf = 2,
    }

    /// <summary>Writes the sites of functions that follow each other.</summary>
    /// <param name="functions">The sites of each.</param>
    public static byte[] Write(IReadOnlyList<Site[]> functions)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream, Encoding.UTF8);
        var starts = new byte[(functions.Count + 1) * sizeof(int)];
        writer.Write(starts);
        for (int index = 0; index < functions.Count; index++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(starts.AsSpan(index * sizeof(int)), (int)stream.Position);
            WriteSites(writer, functions[index]);
        }

        BinaryPrimitives.WriteInt32LittleEndian(starts.AsSpan(functions.Count * sizeof(int)), (int)stream.Position);
        stream.Position = 0;
        writer.Write(starts);
        return stream.ToArray();
    }

    /// <summary>Reads the sites of one function.</summary>
    /// <param name="image">What <see cref="Write"/> wrote.</param>
    /// <param name="index">The function's number in the chunk.</param>
    /// <returns>The sites; null where that is not what lies there.</returns>
    public static Site[]? Read(byte[] image, int index)
    {
        if (image.Length < (index + 2) * sizeof(int))
        {
            return null;
        }

        int start = BinaryPrimitives.ReadInt32LittleEndian(image.AsSpan(index * sizeof(int)));
        int end = BinaryPrimitives.ReadInt32LittleEndian(image.AsSpan((index + 1) * sizeof(int)));
        if (start < 0 || end < start || end > image.Length)
        {
            return null;
        }

        using var stream = new MemoryStream(image, start, end - start, writable: false);
        using var reader = new BinaryReader(stream, Encoding.UTF8);
        try
        {
            return ReadSites(reader);
        }
        catch (Exception exception) when (exception is IOException or FormatException)
        {
            return null;
        }
    }

    private static void WriteSites(BinaryWriter writer, Site[] sites)
    {
        writer.Write7BitEncodedInt(sites.Length);
        SiteValue[] before = [];
        foreach (Site site in sites)
        {
            int common = site.Values.AsSpan().CommonPrefixLength(before);
            writer.Write((byte)site.Kind);
            writer.Write(site.HasHandler);
            writer.Write7BitEncodedInt(site.Offset);
            writer.Write7BitEncodedInt(common);
            writer.Write7BitEncodedInt(site.Values.Length - common);
            foreach (SiteValue value in site.Values.AsSpan(common))
            {
                writer.Write((byte)((value.IsStack ? ValueKinds.IsStack : 0) | (value.IsHighHalf ? ValueKinds.IsHighHalf : 0)));
                writer.Write7BitEncodedInt(value.Index);
                writer.Write7BitEncodedInt((int)value.Type);
            }

            WriteNumbers(writer, Array.ConvertAll(site.Results, type => (int)type));
            WriteNumbers(writer, site.Heights ?? []);
            before = site.Values;
        }
    }

    private static Site[] ReadSites(BinaryReader reader)
    {
        var sites = new Site[ReadCount(reader)];
        SiteValue[] before = [];
        long valueCount = 0;
        for (int index = 0; index < sites.Length; index++)
        {
            var kind = (SiteKind)reader.ReadByte();
            bool hasHandler = reader.ReadBoolean();
            int offset = reader.Read7BitEncodedInt();
            int common = reader.Read7BitEncodedInt();
            int own = ReadCount(reader);
            valueCount += (uint)common + (uint)own;
            if ((uint)common > (uint)before.Length || valueCount > FunctionEmitter.SavedValuesMax)
            {
                throw new FormatException();
            }

            var values = new SiteValue[common + own];
            before.AsSpan(0, common).CopyTo(values);
            for (int number = common; number < values.Length; number++)
            {
                var kinds = (ValueKinds)reader.ReadByte();
                values[number] = new SiteValue(
                    kinds.HasFlag(ValueKinds.IsStack), reader.Read7BitEncodedInt(), (ValType)reader.Read7BitEncodedInt(), kinds.HasFlag(ValueKinds.IsHighHalf));
            }

            ValType[] results = Array.ConvertAll(ReadNumbers(reader), number => (ValType)number);
            int[] heights = ReadNumbers(reader);
            sites[index] = new Site(kind, offset, values, results, hasHandler, heights.Length == 0 ? null : heights);
            before = values;
        }

        return sites;
    }

    private static void WriteNumbers(BinaryWriter writer, int[] numbers)
    {
        writer.Write7BitEncodedInt(numbers.Length);
        Array.ForEach(numbers, writer.Write7BitEncodedInt);
    }

    private static int[] ReadNumbers(BinaryReader reader)
    {
        var numbers = new int[ReadCount(reader)];
        for (int index = 0; index < numbers.Length; index++)
        {
            numbers[index] = reader.Read7BitEncodedInt();
        }

        return numbers;
    }

    // Each of what is counted takes a byte at least.
    private static int ReadCount(BinaryReader reader)
    {
        int count = reader.Read7BitEncodedInt();
        return (uint)count <= reader.BaseStream.Length - reader.BaseStream.Position ? count : throw new FormatException();
    }
}
