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

    /// <summary>Its text; empty where it is given as bytes.</summary>
    public string Text => _text;

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

    /// <summary>A module in the text format.</summary>
    public static ModuleSource OfText(string text) => new(ModuleForm.Text, null, false, text, []);

    /// <summary>The module in the binary format.</summary>
    /// <exception cref="Wasmtime.WasmtimeException">The text cannot be converted.</exception>
    public byte[] ToBinary()
    {
        if (Form == ModuleForm.Binary)
        {
            return _bytes;
        }

        if (LegacyText.IsIn(_text))
        {
            return LegacyText.ToBinary(_text);
        }

        try
        {
            return Wasmtime.Module.ConvertText(_text);
        }
        catch (Wasmtime.WasmtimeException e) when (e.Message.Contains("confusing", StringComparison.Ordinal))
        {
            // The converter suspects a trick in names that run from right to left. It does not where they are escaped.
            var text = new StringBuilder();
            SExpression.ReadAll(_text)[0].AppendEscaped(text);
            return Wasmtime.Module.ConvertText(text.ToString());
        }
    }

    /// <summary>The module without the fields whose text holds one of some markers.</summary>
    /// <param name="markers">The markers.</param>
    /// <param name="reason">Why they are left out.</param>
    /// <param name="removedExports">The names under which such fields were exported, with the reason.</param>
    public ModuleSource Without(IReadOnlyList<string> markers, string reason, out IReadOnlyDictionary<string, string> removedExports)
    {
        var removed = new Dictionary<string, string>(StringComparer.Ordinal);
        var text = new StringBuilder("(module");
        foreach (SExpression field in Form == ModuleForm.Text ? SExpression.ReadAll(_text)[0].Items!.Skip(1) : [])
        {
            string fieldText = _text[field.Start..field.End];
            if (!markers.Any(marker => fieldText.Contains(marker, StringComparison.Ordinal)))
            {
                text.Append('\n').Append(fieldText);
                continue;
            }

            foreach (SExpression export in field.Items?.Where(item => item.Head == "export") ?? [])
            {
                removed[Encoding.UTF8.GetString(export.Items![1].Bytes!)] = reason;
            }
        }

        removedExports = removed;
        return Form == ModuleForm.Text ? new ModuleSource(Form, Identifier, IsDefinition, text.Append(')').ToString(), []) : this;
    }

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
