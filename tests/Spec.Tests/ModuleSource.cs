using System.Text;

namespace Everheap.Spec.Tests;

/// <summary>How a script gives a module.</summary>
internal enum ModuleForm
{
    /// <summary>In the text format.</summary>
    Text,

    /// <summary>As bytes.</summary>
    Binary,

    /// <summary>In the text format, quoted: mostly to be refused by a reader of text.</summary>
    Quote,
}

/// <summary>A module in a script, in one of the forms that scripts have for it.</summary>
internal sealed class ModuleSource
{
    private readonly string _text;
    private readonly byte[] _bytes;

    private ModuleSource(ModuleForm form, string? identifier, bool isDefinition, string text, byte[] bytes)
    {
        Form = form;
        Identifier = identifier;
        IsDefinition = isDefinition;
        _text = text;
        _bytes = bytes;
    }

    public ModuleForm Form { get; }

    /// <summary>The name that the script gives it, or null.</summary>
    public string? Identifier { get; }

    /// <summary>Whether it is only defined, to be instantiated by other commands.</summary>
    public bool IsDefinition { get; }

    /// <summary>Reads <c>(module ...)</c>.</summary>
    public static ModuleSource Of(string script, SExpression node)
    {
        int at = 1;
        int contentStart = node.Items![0].End;
        bool isDefinition = node.Items is [_, { Atom: "definition" }, ..];
        if (isDefinition)
        {
            contentStart = node.Items[at++].End;
        }

        string? identifier = at < node.Items.Count && node.Items[at].IsIdentifier ? node.Items[at++].Atom : null;
        string? form = at < node.Items.Count ? node.Items[at].Atom : null;
        switch (form)
        {
            case "binary":
                return new ModuleSource(ModuleForm.Binary, identifier, isDefinition, "", Join(node, at + 1));
            case "quote":
                return new ModuleSource(ModuleForm.Quote, identifier, isDefinition, Encoding.UTF8.GetString(Join(node, at + 1)), []);
            default:
                return new ModuleSource(ModuleForm.Text, identifier, isDefinition, "(module" + script[contentStart..node.End], []);
        }
    }

    /// <summary>A script that is a bare list of module fields.</summary>
    public static ModuleSource OfFields(string script) => new(ModuleForm.Text, null, false, $"(module {script}\n)", []);

    /// <summary>The module in the binary format.</summary>
    /// <exception cref="Wasmtime.WasmtimeException">The text cannot be converted.</exception>
    public byte[] ToBinary() => Form == ModuleForm.Binary ? _bytes : Wasmtime.Module.ConvertText(_text);

    private static byte[] Join(SExpression node, int from)
    {
        using var bytes = new MemoryStream();
        for (int i = from; i < node.Items!.Count; i++)
        {
            bytes.Write(node.Items[i].Bytes ?? []);
        }

        return bytes.ToArray();
    }
}
