using System.Text;

namespace Everheap.Spec.Tests;

/// <summary>
/// Converts text modules with the exception instructions from before WebAssembly 3.0 (<c>try</c>, <c>catch</c>, <c>catch_all</c>, <c>delegate</c>, <c>rethrow</c>), which the converter has not got.
/// Each becomes an instruction that it has, of the same length and with the same immediate, next to a mark; in the binary module the instruction is changed back, and the mark becomes
/// <c>nop</c>s. So no size changes.
/// </summary>
internal static class LegacyText
{
    // i64.const with ten bytes of number, then drop. The last digit tells the marks apart.
    private const long FirstMark = 0x5EED_CA7C_0000_0000;
    private const int MarkBytes = 12;
    private const byte ConstOpcode = 0x42;
    private const byte DropOpcode = 0x1A;
    private const byte Nop = 0x01;
    private const byte Block = 0x02;
    private const byte End = 0x0B;

    private enum Mark
    {
        Try,
        Catch,
        CatchAll,
        Rethrow,
        Delegate,
        DelegateByName,
    }

    /// <summary>Whether a text needs this converter.</summary>
    public static bool IsIn(string text) =>
        text.Contains("(try ", StringComparison.Ordinal) || text.Contains("(try\n", StringComparison.Ordinal) || text.Contains("rethrow", StringComparison.Ordinal);

    /// <summary>The module in the binary format.</summary>
    /// <exception cref="Wasmtime.WasmtimeException">The text cannot be converted.</exception>
    public static byte[] ToBinary(string text)
    {
        var changed = new StringBuilder();
        Append(changed, SExpression.ReadAll(text)[0], text);
        byte[] binary = Wasmtime.Module.ConvertText(changed.ToString());
        for (int at = 0; at <= binary.Length - MarkBytes; at++)
        {
            if (TryReadMark(binary.AsSpan(at), out Mark mark))
            {
                ChangeBack(binary, at, mark);
            }
        }

        return binary;
    }

    // Folded: (try label type (do ...) (catch tag ...)* (catch_all ...)?) or (try label type (do ...) (delegate label)).
    private static void Append(StringBuilder text, SExpression node, string source)
    {
        switch (node.Head)
        {
            case "try":
                text.Append("(block ");
                int body = node.Items!.FindIndex(static item => item.Head == "do");
                AppendItems(text, node, 1..body, source);
                AppendMark(text, Mark.Try);
                AppendItems(text, node, body.., source);
                text.Append(')');
                break;
            case "do":
                AppendItems(text, node, 1.., source);
                break;
            case "catch":
                AppendMark(text, Mark.Catch).Append("throw ");
                AppendItems(text, node, 1.., source);
                break;
            case "catch_all":
                AppendMark(text, Mark.CatchAll).Append("nop ");
                AppendItems(text, node, 1.., source);
                break;
            case "delegate":
                AppendMark(text, node.Items![1].IsIdentifier ? Mark.DelegateByName : Mark.Delegate).Append("br ").Append(node.Items[1].Atom).Append(' ');
                break;
            case "rethrow":
                AppendMark(text, Mark.Rethrow).Append("br ").Append(node.Items![1].Atom).Append(' ');
                break;
            default:
                if (node.Items is null)
                {
                    text.Append(source, node.Start, node.End - node.Start).Append(' ');
                    break;
                }

                text.Append('(');
                AppendItems(text, node, 0.., source);
                text.Append(')');
                break;
        }
    }

    private static void AppendItems(StringBuilder text, SExpression node, Range items, string source)
    {
        foreach (SExpression item in node.Items!.Take(items))
        {
            Append(text, item, source);
        }
    }

    private static StringBuilder AppendMark(StringBuilder text, Mark mark) => text.Append($"i64.const {FirstMark + (int)mark} drop ");

    private static bool TryReadMark(ReadOnlySpan<byte> bytes, out Mark mark)
    {
        Span<byte> first = stackalloc byte[MarkBytes];
        first[0] = ConstOpcode;
        first[^1] = DropOpcode;
        long value = FirstMark;
        for (int i = 1; i < MarkBytes - 1; i++)
        {
            first[i] = (byte)((value & 0x7F) | (i < MarkBytes - 2 ? 0x80L : 0));
            value >>= 7;
        }

        mark = (Mark)(bytes[1] & 0x7F);
        return bytes[0] == first[0] && bytes[2..MarkBytes].SequenceEqual(first[2..]) && Enum.IsDefined(mark);
    }

    private static void ChangeBack(byte[] binary, int at, Mark mark)
    {
        int instruction = at + MarkBytes;
        binary.AsSpan(at, MarkBytes).Fill(Nop);
        switch (mark)
        {
            case Mark.Try:
                // The block's type is one byte in all scripts.
                Change(binary, at - 2, Block, 0x06);
                break;
            case Mark.Catch:
                Change(binary, instruction, 0x08, 0x07);
                break;
            case Mark.CatchAll:
                Change(binary, instruction, Nop, 0x19);
                break;
            case Mark.Rethrow:
                Change(binary, instruction, 0x0C, 0x09);
                break;
            default:
                // It ends the block itself, and a label that is named is counted from outside of it.
                Change(binary, instruction, 0x0C, 0x18);
                Change(binary, instruction + 2, End, Nop);
                binary[instruction + 1] -= mark == Mark.DelegateByName ? (byte)1 : (byte)0;
                break;
        }
    }

    private static void Change(byte[] binary, int at, byte from, byte to)
    {
        if (binary[at] != from)
        {
            throw new InvalidOperationException($"expected the byte 0x{from:x2} at 0x{at:x}, found 0x{binary[at]:x2}");
        }

        binary[at] = to;
    }
}
