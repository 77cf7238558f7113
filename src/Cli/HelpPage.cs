using System.CommandLine;
using System.CommandLine.Invocation;

namespace Everheap.Cli;

/// <summary>Prints the help of a command: usage, what it does, arguments, options, examples. Plain text of at most 100 columns.</summary>
internal sealed class HelpPage : SynchronousCommandLineAction
{
    private const string Indent = "  ";

    private static readonly Dictionary<string, (string Usage, string[] Examples)> Pages = new()
    {
        ["everheap"] = (
            "everheap COMMAND [options]",
            [
                "everheap run counter.wasm                   run a program; Ctrl-C or kill -9 it at any time",
                "everheap resume counter.heap                go on where it was",
                "everheap fork counter.heap@7 what-if        a second program that starts as the first was at 7",
                "everheap run --help                         all options of a command",
            ]),
        ["run"] = (
            "everheap run MODULE [options] [-- ARGS]",
            [
                "everheap run counter.wasm -- 300            the program's own arguments stand after --",
                "everheap run --resident 64MiB sort.wasm     give it 64 MiB of memory, however much it uses",
                "everheap run --dir data::/data lua.wasm -- /data/main.lua",
                "everheap run --heap /big/run1.heap --every 200 sim.wasm > out.txt",
                "everheap run --keep-last 60 --keep-for 10m sim.wasm",
            ]),
        ["resume"] = (
            "everheap resume FILE [options]",
            [
                "everheap resume counter.heap",
                "everheap resume sim.heap >> out.txt         output goes on exactly where it stopped",
                "everheap resume --dir /mnt/data::/data lua.heap",
                "everheap resume sim.heap --from 7           rewind it first",
                "everheap resume sim.heap --heap what-if     run a fork",
                "everheap resume sim.heap --heap a --heap b --output-dir out",
            ]),
        ["log"] = (
            "everheap log FILE [options]",
            [
                "everheap log counter.heap",
                "everheap log counter.heap --heap what-if",
                "everheap log counter.heap | tail -1         columns: number, time, pages, bytes, kept, heap, origin, name",
            ]),
        ["stack"] = (
            "everheap stack FILE [options]",
            [
                "everheap stack counter.heap",
                "everheap stack --frames 10 deep.heap",
                "everheap stack counter.heap --heap what-if --checkpoint 7",
            ]),
        ["inspect"] = (
            "everheap inspect MODULE [options]",
            [
                "everheap inspect counter.wasm               can it be run, and what does it import?",
                "everheap inspect --json counter.wasm | jq .obstacles",
            ]),
        ["fork"] = (
            "everheap fork FILE[@N] [NEWNAME] [options]",
            [
                "everheap fork sim.heap what-if              fork the latest checkpoint: a moment, whatever its size",
                "everheap fork sim.heap@7 what-if            fork checkpoint 7",
                "everheap fork sim.heap@before-upgrade --to copy.heap",
                "everheap resume sim.heap --heap what-if     run the fork",
            ]),
        ["revert"] = (
            "everheap revert FILE N [options]",
            [
                "everheap revert sim.heap 7 && everheap resume sim.heap",
                "everheap revert sim.heap before-upgrade --heap what-if",
            ]),
        ["retain"] = (
            "everheap retain FILE [N] [options]",
            [
                "everheap retain sim.heap --name before-upgrade",
                "everheap retain sim.heap 7",
                "everheap retain sim.heap --keep-last 10 --keep-for 2h",
            ]),
        ["drop"] = (
            "everheap drop FILE [N] [options]",
            [
                "everheap drop sim.heap 7                    drop a checkpoint",
                "everheap drop sim.heap --heap what-if       drop a fork with all its checkpoints",
            ]),
        ["diff"] = (
            "everheap diff FILE A B [options]",
            [
                "everheap diff sim.heap 7 9                  columns: kind, page, pages; then a line with the sums",
                "everheap diff sim.heap process@7 what-if --summary",
            ]),
        ["compact"] = (
            "everheap compact FILE",
            [
                "everheap compact sim.heap                   after much was dropped",
            ]),
        ["verify"] = (
            "everheap verify FILE [options]",
            [
                "everheap verify counter.heap && everheap resume counter.heap",
                "everheap verify counter.heap --repair-to LAST_GOOD",
            ]),
        ["send"] = (
            "everheap send FILE [options]",
            [
                "everheap send sim.heap > sim.stream",
                "everheap send sim.heap --from 41 | ssh backup everheap receive sim.heap",
                "everheap send sim.heap --resume POINT | ssh backup everheap receive sim.heap",
                "everheap send sim.heap --to backup:7000 --token-file token --fingerprint SHA256",
            ]),
        ["receive"] = (
            "everheap receive FILE [options]",
            [
                "everheap receive copy.heap < sim.stream     a whole checkpoint makes a new heap in copy.heap",
                "everheap receive copy.heap --listen 7000 --token-file token --certificate receiver.pfx",
                "everheap receive copy.heap --unfinished     what broke off, and where to go on",
            ]),
        ["torture"] = (
            "everheap torture [FOLDER] [options]",
            [
                "everheap torture                            five minutes on the disk of the current folder",
                "everheap torture /mnt/usb --minutes 60 --report usb.md",
                "everheap torture /mnt/usb --seed 4711 --rounds 1    a round that failed, once more",
            ]),
    };

    /// <inheritdoc/>
    public override bool ClearsParseErrors => true;

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        using TextWriter output = PlainOutput.Open();
        Write(parseResult.CommandResult.Command, output);
        return ExitCode.Success;
    }

    /// <summary>Writes the help of a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="output">Where to.</param>
    public static void Write(Command command, TextWriter output)
    {
        (string usage, string[] examples) = Pages[command is RootCommand ? "everheap" : command.Name];
        output.WriteLine("Usage: " + usage);
        output.WriteLine();
        output.WriteLine(command.Description);

        Section(output, "Commands:", command.Subcommands.Select(sub => (sub.Name, sub.Description ?? "")));
        Section(output, "Arguments:", command.Arguments.Select(argument => (argument.HelpName ?? argument.Name, argument.Description ?? "")));
        Section(output, "Options:", command.Options.Concat(InheritedOptions(command)).Where(option => !option.Hidden).Select(option => (Label(option), option.Description ?? "")));

        output.WriteLine();
        output.WriteLine("Examples:");
        foreach (string example in examples)
        {
            output.WriteLine(Indent + example);
        }
    }

    private static IEnumerable<Option> InheritedOptions(Command command) =>
        command.Parents.OfType<Command>().SelectMany(parent => parent.Options).Where(option => option.Recursive);

    private static string Label(Option option)
    {
        string names = string.Join(", ", option.Aliases.Where(alias => !alias.StartsWith('/')).Append(option.Name).Where(name => name != "-?").OrderBy(name => name.Length));
        return option.HelpName is { } value ? $"{names} {value}" : names;
    }

    private static void Section(TextWriter output, string title, IEnumerable<(string Label, string Text)> entries)
    {
        (string Label, string Text)[] rows = [.. entries];
        if (rows.Length == 0)
        {
            return;
        }

        output.WriteLine();
        output.WriteLine(title);
        int width = rows.Max(row => row.Label.Length);
        foreach ((string label, string text) in rows)
        {
            string gap = "\n" + new string(' ', Indent.Length + width + 2);
            output.WriteLine(Indent + label.PadRight(width) + "  " + text.Replace("\n", gap, StringComparison.Ordinal));
        }
    }
}
