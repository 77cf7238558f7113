using System.Text;

namespace Everheap.Vm.Modules;

/// <summary>The names of instructions in WebAssembly's text format, for messages.</summary>
internal static class OpcodeNames
{
    /// <summary>The text format's name, such as <c>i32.trunc_sat_f64_u</c>.</summary>
    public static string NameOf(Opcode opcode)
    {
        if (opcode == Opcode.SelectT)
        {
            return "select";
        }

        // The enum's names are the text format's with the punctuation taken out: I32TruncSatF64U.
        string name = opcode.ToString();
        var text = new StringBuilder(name.Length + 4);
        bool isFirstWord = true;
        for (int i = 0; i < name.Length; i++)
        {
            if (i > 0 && char.IsAsciiLetterUpper(name[i]))
            {
                text.Append(isFirstWord && IsNamespace(text.ToString()) ? '.' : '_');
                isFirstWord = false;
            }

            text.Append(char.ToLowerInvariant(name[i]));
        }

        return text.ToString();
    }

    private static bool IsNamespace(string word) =>
        word is "i32" or "i64" or "f32" or "f64" or "local" or "global" or "table" or "memory" or "ref" or "data" or "elem";
}
