using System.Text;

namespace Everheap.Vm.Modules;

/// <summary>The names of instructions in WebAssembly's text format, for messages.</summary>
internal static class OpcodeNames
{
    /// <summary>The text format's name, such as <c>i32.trunc_sat_f64_u</c>.</summary>
    public static string NameOf(Opcode opcode)
    {
        switch (opcode)
        {
            case Opcode.SelectT:
                return "select";
            case Opcode.RefTestNull:
                return "ref.test";
            case Opcode.RefCastNull:
                return "ref.cast";
        }

        // The enum's names are the text format's with the punctuation taken out: I32TruncSatF64U.
        string name = opcode.ToString();
        var text = new StringBuilder(name.Length + 4);
        int wordStart = 0;
        for (int i = 0; i < name.Length; i++)
        {
            if (i > 0 && char.IsAsciiLetterUpper(name[i]))
            {
                bool isNamespace = wordStart == 0 ? IsNamespace(text.ToString()) : IsAtomicNamespace(text.ToString(wordStart, text.Length - wordStart));
                text.Append(isNamespace ? '.' : '_');
                wordStart = text.Length;
            }

            text.Append(char.ToLowerInvariant(name[i]));
        }

        return text.ToString();
    }

    private static bool IsNamespace(string word) =>
        word is "i32" or "i64" or "f32" or "f64" or "v128" or "i8x16" or "i16x8" or "i32x4" or "i64x2" or "f32x4" or "f64x2"
            or "local" or "global" or "table" or "memory" or "ref" or "data" or "elem" or "struct" or "array" or "any" or "extern" or "i31" or "atomic";

    // i32.atomic.rmw8.add_u
    private static bool IsAtomicNamespace(string word) => word is "atomic" or "rmw" or "rmw8" or "rmw16" or "rmw32";
}
