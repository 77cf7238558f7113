using System.Text.Json;
using Everheap.Vm.Modules;

namespace Everheap.Cli.Inspect;

/// <summary>Writes a module's description as one JSON object. Names of its members are in docs/command.md; more may be added.</summary>
internal static class ModuleJson
{
    /// <summary>Writes the description, and a line feed.</summary>
    /// <param name="description">The module.</param>
    /// <param name="output">Where to.</param>
    public static void Write(ModuleDescription description, Stream output)
    {
        using (var json = new Utf8JsonWriter(output, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            Module module = description.Module;
            json.WriteStartObject();
            json.WriteString("file", description.FileName);
            json.WriteNumber("bytes", module.Bytes.Length);
            json.WriteString("name", module.Name);
            json.WriteBoolean("runnable", description.Obstacles.Count == 0);
            Array(json, "obstacles", description.Obstacles, json.WriteStringValue);
            Array(json, "features", module.Features, use => Object(json, () =>
            {
                json.WriteString("name", use.Name);
                json.WriteNumber("offset", use.Offset);
            }));
            Array(json, "wasi", description.WasiFunctions, json.WriteStringValue);
            Array(json, "sections", description.Sections, section => Object(json, () =>
            {
                json.WriteString("name", section.Name);
                json.WriteBoolean("custom", section.Kind == SectionKind.Custom);
                json.WriteNumber("offset", section.Offset);
                json.WriteNumber("bytes", section.Length);
            }));
            WriteContents(json, module);
            WriteLinks(json, description);
            WriteOrigin(json, module);
            json.WriteEndObject();
        }

        output.Write("\n"u8);
    }

    private static void WriteContents(Utf8JsonWriter json, Module module)
    {
        json.WriteNumber("types", module.Types.Count);
        json.WriteNumber("functions", module.FunctionTypes.Count);
        json.WriteNumber("importedFunctions", module.ImportedFunctionCount);
        json.WriteNumber("dataSegments", module.Data.Count);
        json.WriteNumber("elementSegments", module.Elements.Count);
        if (module.StartFunction is int start)
        {
            json.WriteNumber("start", start);
        }

        Array(json, "memories", module.Memories.Index(), memory => Object(json, () =>
        {
            WriteLimits(json, memory.Item.Limits);
            json.WriteString("address", ValTypes.NameOf(memory.Item.AddressType));
            json.WriteBoolean("shared", memory.Item.IsShared);
            json.WriteBoolean("imported", memory.Index < module.ImportedMemoryCount);
        }));
        Array(json, "tables", module.Tables.Index(), table => Object(json, () =>
        {
            json.WriteString("type", ValTypes.NameOf(table.Item.ElementType));
            WriteLimits(json, table.Item.Limits);
            json.WriteString("address", ValTypes.NameOf(table.Item.AddressType));
            json.WriteBoolean("imported", table.Index < module.ImportedTableCount);
        }));
        Array(json, "globals", module.Globals.Index(), global => Object(json, () =>
        {
            json.WriteString("type", ValTypes.NameOf(global.Item.ValueType));
            json.WriteBoolean("mutable", global.Item.IsMutable);
            json.WriteBoolean("imported", global.Index < module.ImportedGlobalCount);
        }));
        Array(json, "tags", module.Tags.Index(), tag => Object(json, () =>
        {
            json.WriteString("type", tag.Item.Type.ToString());
            json.WriteBoolean("imported", tag.Index < module.ImportedTagCount);
        }));
    }

    private static void WriteLinks(Utf8JsonWriter json, ModuleDescription description)
    {
        Array(json, "imports", description.Module.Imports, import => Object(json, () =>
        {
            json.WriteString("module", import.ModuleName);
            json.WriteString("name", import.Name);
            WriteExternal(json, description, import.Kind, import.Index);
        }));
        Array(json, "exports", description.Module.Exports, export => Object(json, () =>
        {
            json.WriteString("name", export.Name);
            WriteExternal(json, description, export.Kind, export.Index);
        }));
    }

    private static void WriteExternal(Utf8JsonWriter json, ModuleDescription description, ExternalKind kind, int index)
    {
        json.WriteString("kind", ModuleDescription.KindOf(kind));
        json.WriteNumber("index", index);
        json.WriteString("type", description.TypeOf(kind, index));
    }

    private static void WriteOrigin(Utf8JsonWriter json, Module module)
    {
        Array(json, "producers", module.ReadProducers(), field => Object(json, () =>
        {
            json.WriteString("field", field.Field);
            Array(json, "values", field.Values, value => Object(json, () =>
            {
                json.WriteString("name", value.Name);
                json.WriteString("version", value.Version);
            }));
        }));
        Array(json, "targetFeatures", module.ReadTargetFeatures(), feature => json.WriteStringValue(feature.Prefix + feature.Name));
    }

    private static void WriteLimits(Utf8JsonWriter json, Limits limits)
    {
        json.WriteNumber("minimum", limits.Minimum);
        if (limits.Maximum is ulong maximum)
        {
            json.WriteNumber("maximum", maximum);
        }
    }

    private static void Array<T>(Utf8JsonWriter json, string name, IEnumerable<T> items, Action<T> write)
    {
        json.WriteStartArray(name);
        foreach (T item in items)
        {
            write(item);
        }

        json.WriteEndArray();
    }

    private static void Object(Utf8JsonWriter json, Action write)
    {
        json.WriteStartObject();
        write();
        json.WriteEndObject();
    }
}
