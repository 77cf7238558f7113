namespace Everheap.Vm.Modules;

/// <summary>What a module's producers section says in one field (tool conventions, "producers").</summary>
/// <param name="Field">The field: <c>language</c>, <c>processed-by</c> or <c>sdk</c>.</param>
/// <param name="Values">Names with their versions, which may be empty.</param>
public sealed record ProducerField(string Field, IReadOnlyList<(string Name, string Version)> Values);

/// <summary>A feature in a module's section of target features (tool conventions, "target features").</summary>
/// <param name="Prefix"><c>+</c> where the module was compiled with it, <c>-</c> where it must not be linked with what uses it.</param>
/// <param name="Name">Its name, such as <c>simd128</c>.</param>
public readonly record struct TargetFeature(char Prefix, string Name);

/// <content>The sections themselves, for tools that show a module.</content>
public sealed partial class Module
{
    private const string ProducersName = "producers";
    private const string TargetFeaturesName = "target_features";
    private const int ModuleHeaderBytes = 8;
    private const int ProducerBytesMin = 2;
    private const int TargetFeatureBytesMin = 2;

    /// <summary>Finds the sections, in order. Cost: linear in their number; the contents are not read.</summary>
    /// <returns>The sections.</returns>
    public IReadOnlyList<ModuleSection> FindSections()
    {
        var sections = new List<ModuleSection>();
        ReadOnlySpan<byte> bytes = Bytes.Span;
        var reader = new ByteReader(bytes, ModuleHeaderBytes, bytes.Length);
        while (!reader.IsAtEnd)
        {
            var kind = (SectionKind)reader.ReadByte("a section");
            int end = reader.ReadByteCount("a section");
            end += reader.Offset;
            string? name = kind == SectionKind.Custom ? reader.ReadName("a custom section's name") : null;
            sections.Add(new ModuleSection(kind, name, reader.Offset, end - reader.Offset));
            reader.ReadBytes(end - reader.Offset, "a section");
        }

        return sections;
    }

    /// <summary>Reads what made the module. What is malformed ends the list, and makes no module invalid.</summary>
    /// <returns>The fields of its producers section; empty where it has none.</returns>
    public IReadOnlyList<ProducerField> ReadProducers()
    {
        var fields = new List<ProducerField>();
        ReadCustom(ProducersName, (ref ByteReader reader) =>
        {
            int count = reader.ReadCount("fields", int.MaxValue, ProducerBytesMin);
            for (int i = 0; i < count; i++)
            {
                string field = reader.ReadName("a field");
                var values = new List<(string Name, string Version)>();
                fields.Add(new ProducerField(field, values));
                int valueCount = reader.ReadCount("values", int.MaxValue, ProducerBytesMin);
                for (int j = 0; j < valueCount; j++)
                {
                    values.Add((reader.ReadName("a value"), reader.ReadName("a version")));
                }
            }
        });
        return fields;
    }

    /// <summary>Reads which features the compiler was allowed to use. What is malformed ends the list, and makes no module invalid.</summary>
    /// <returns>The features of its section of target features; empty where it has none.</returns>
    public IReadOnlyList<TargetFeature> ReadTargetFeatures()
    {
        var features = new List<TargetFeature>();
        ReadCustom(TargetFeaturesName, (ref ByteReader reader) =>
        {
            int count = reader.ReadCount("features", int.MaxValue, TargetFeatureBytesMin);
            for (int i = 0; i < count; i++)
            {
                features.Add(new TargetFeature((char)reader.ReadByte("a prefix"), reader.ReadName("a feature")));
            }
        });
        return features;
    }

    private delegate void CustomReader(ref ByteReader reader);

    private void ReadCustom(string name, CustomReader read)
    {
        foreach (ModuleSection section in FindSections())
        {
            if (section.CustomName != name)
            {
                continue;
            }

            try
            {
                var reader = new ByteReader(Bytes.Span, section.Offset, section.Offset + section.Length);
                read(ref reader);
            }
            catch (WasmFormatException)
            {
                // What was read so far stays.
            }

            return;
        }
    }
}
