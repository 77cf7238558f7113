using System.Globalization;
using System.Text;

namespace Everheap.Spec.Tests;

/// <summary>
/// A node of a script: a list, a string, or an atom (keyword, identifier, number). A list keeps where it stands in the source, so that a
/// module's text can be handed on as it was written.
/// </summary>
internal sealed class SExpression
{
    private SExpression(int start) => Start = start;

    /// <summary>Where it starts in the source.</summary>
    public int Start { get; }

    /// <summary>Where it ends in the source.</summary>
    public int End { get; private set; }

    /// <summary>A list's items; null for an atom or a string.</summary>
    public List<SExpression>? Items { get; private init; }

    /// <summary>An atom's text; null for a list or a string.</summary>
    public string? Atom { get; private init; }

    /// <summary>A string's bytes; null for a list or an atom.</summary>
    public byte[]? Bytes { get; private init; }

    /// <summary>A list's first atom, or the empty string.</summary>
    public string Head => Items is [{ Atom: string head }, ..] ? head : "";

    /// <summary>An atom that is an identifier.</summary>
    public bool IsIdentifier => Atom is ['$', ..];

    /// <summary>Reads all top-level nodes. Annotations <c>(@name ...)</c> are left out. No recursion: nesting costs no stack.</summary>
    /// <param name="source">The script.</param>
    /// <returns>The nodes.</returns>
    /// <exception cref="FormatException">The script is malformed.</exception>
    public static List<SExpression> ReadAll(string source)
    {
        var open = new Stack<SExpression>();
        var top = new List<SExpression>();
        int at = 0;
        while (SkipSpace(source, ref at))
        {
            SExpression node;
            switch (source[at])
            {
                case '(':
                    open.Push(new SExpression(at++) { Items = [] });
                    continue;
                case ')':
                    if (!open.TryPop(out SExpression? closed))
                    {
                        throw new FormatException($"unexpected ')' at character {at}");
                    }

                    closed.End = ++at;
                    node = closed;
                    break;
                case '"':
                    int start = at;
                    node = new SExpression(start) { Bytes = ReadString(source, ref at), End = at };
                    node.End = at;
                    break;
                default:
                    node = ReadAtom(source, ref at);
                    break;
            }

            if (!node.Head.StartsWith('@'))
            {
                (open.TryPeek(out SExpression? parent) ? parent.Items! : top).Add(node);
            }
        }

        return open.Count == 0 ? top : throw new FormatException($"unclosed '(' at character {open.Peek().Start}");
    }

    /// <summary>Writes the node with every byte of its strings escaped. Recursive: for nodes that are not nested deeply.</summary>
    public void AppendEscaped(StringBuilder text)
    {
        if (Bytes is not null)
        {
            text.Append('"').AppendJoin("", Bytes.Select(b => $"\\{b:x2}")).Append("\" ");
            return;
        }

        if (Items is null)
        {
            text.Append(Atom).Append(' ');
            return;
        }

        text.Append('(');
        foreach (SExpression item in Items)
        {
            item.AppendEscaped(text);
        }

        text.Append(") ");
    }

    private static SExpression ReadAtom(string source, ref int at)
    {
        int start = at;
        if (source[at] == ';')
        {
            at++; // Stands alone in annotations only: a comment was skipped before.
        }

        while (at < source.Length && !IsDelimiter(source[at]))
        {
            // A token may hold a string, as the identifier $"a name" and the annotation @"a name" do.
            if (source[at] == '"')
            {
                ReadString(source, ref at);
            }
            else
            {
                at++;
            }
        }

        return new SExpression(start) { Atom = source[start..at], End = at };
    }

    private static bool IsDelimiter(char c) => c is '(' or ')' or ';' || char.IsWhiteSpace(c);

    private static bool SkipSpace(string source, ref int at)
    {
        while (at < source.Length)
        {
            if (char.IsWhiteSpace(source[at]))
            {
                at++;
            }
            else if (source.AsSpan(at).StartsWith(";;"))
            {
                while (at < source.Length && source[at] is not ('\n' or '\r'))
                {
                    at++;
                }
            }
            else if (source.AsSpan(at).StartsWith("(;"))
            {
                SkipBlockComment(source, ref at);
            }
            else
            {
                return true;
            }
        }

        return false;
    }

    private static void SkipBlockComment(string source, ref int at)
    {
        int start = at;
        int depth = 0;
        do
        {
            if (at + 1 >= source.Length)
            {
                throw new FormatException($"unclosed comment at character {start}");
            }

            ReadOnlySpan<char> rest = source.AsSpan(at);
            int change = rest.StartsWith("(;") ? 1 : rest.StartsWith(";)") ? -1 : 0;
            depth += change;
            at += change == 0 ? 1 : 2;
        }
        while (depth > 0);
    }

    private static byte[] ReadString(string source, ref int at)
    {
        int start = at++;
        var bytes = new List<byte>();
        while (at < source.Length && source[at] != '"')
        {
            if (source[at] != '\\')
            {
                int runes = char.IsSurrogatePair(source, at) ? 2 : 1;
                bytes.AddRange(Encoding.UTF8.GetBytes(source.Substring(at, runes)));
                at += runes;
                continue;
            }

            char escape = source[at + 1];
            at += 2;
            switch (escape)
            {
                case 'n':
                    bytes.Add((byte)'\n');
                    break;
                case 't':
                    bytes.Add((byte)'\t');
                    break;
                case 'r':
                    bytes.Add((byte)'\r');
                    break;
                case '\\' or '"' or '\'':
                    bytes.Add((byte)escape);
                    break;
                case 'u':
                    int close = source.IndexOf('}', at);
                    string digits = source[(at + 1)..close].Replace("_", "", StringComparison.Ordinal);
                    bytes.AddRange(Encoding.UTF8.GetBytes(char.ConvertFromUtf32(int.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture))));
                    at = close + 1;
                    break;
                default:
                    bytes.Add(byte.Parse(source.AsSpan(at - 1, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
                    at++;
                    break;
            }
        }

        if (at >= source.Length)
        {
            throw new FormatException($"unclosed string at character {start}");
        }

        at++;
        return [.. bytes];
    }
}
