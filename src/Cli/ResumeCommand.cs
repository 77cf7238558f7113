using System.CommandLine;
using Everheap.Cli.Addressing;
using Everheap.Engine;
using Everheap.Vm;

namespace Everheap.Cli;

/// <summary><c>everheap resume</c>: carries a program on from its last checkpoint, or several programs of one file.</summary>
internal static class ResumeCommand
{
    /// <summary>The command's name.</summary>
    public const string Name = "resume";

    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        Argument<string> file = StoreAddress.FileArgument();
        var heaps = new Option<string[]>("--heap")
        {
            HelpName = "NAME",
            Description = $"The program (default: the only one, or '{Process.HeapName}'). Repeated: several programs of\nthe file at once, each with its own memory and checkpoints; needs --output-dir.",
            Arity = ArgumentArity.OneOrMore,
            AllowMultipleArgumentsPerToken = false,
        };
        Option<CheckpointReference?> from = CheckpointReference.Option("--from", "Go back to this retained checkpoint first: its number or name.");
        var outputFolder = new Option<string?>("--output-dir")
        {
            HelpName = "DIR",
            Description = "Append standard output and error to DIR/NAME.out and DIR/NAME.err, by the program's name.",
        };
        var runtime = new RuntimeOptions();
        var command = new Command(Name, "Carry a program on from its last checkpoint, or several of one file.") { file, heaps, from, outputFolder };
        runtime.AddTo(command);
        command.SetAction(result =>
        {
            string[] names = result.GetValue(heaps) ?? [];
            string? folder = result.GetValue(outputFolder);
            CheckUsage(names, result.GetValue(from), folder, hasFolders: result.GetValue(runtime.Directories) is { Length: > 0 });
            string heapPath = result.GetRequiredValue(file);
            ProcessOptions options = runtime.Read(result);
            HeapFile.RequireExisting(heapPath);
            using var termination = new Termination();
            using HeapStore store = HeapStore.Open(heapPath, new HeapStoreOptions { Logger = DiagnosticsLogger.For(Failure.Line) });
            return names.Length > 1
                ? ProgramGroup.Run(store, heapPath, [.. names.Select(name => HeapChoice.Choose(store, name))], options, folder!, termination)
                : RunOne(store, heapPath, names.SingleOrDefault(), result.GetValue(from), options, folder, termination);
        });
        return command;
    }

    /// <summary>The command line that carries a program on.</summary>
    /// <param name="store">Its store.</param>
    /// <param name="heapPath">The store's file, as the user calls it.</param>
    /// <param name="heapName">The program's heap.</param>
    /// <returns>The command line.</returns>
    public static string LineFor(HeapStore store, string heapPath, string heapName) =>
        store.HeapNames.Count > 1 ? $"everheap resume {heapPath} --heap {ShellWord.Quote(heapName)}" : $"everheap resume {heapPath}";

    private static void CheckUsage(string[] names, CheckpointReference? from, string? folder, bool hasFolders)
    {
        if (names.Length < 2)
        {
            return;
        }

        string? complaint =
            names.Distinct().Count() < names.Length ? "--heap names a program twice"
            : folder is null ? "several programs need --output-dir DIR, so that their outputs stay apart"
            : from is not null ? "--from is for one program; use 'everheap revert' before"
            : hasFolders ? "--dir is for one program; resume each by itself once, with its folders, and stop it with Ctrl-C: it knows them from then on"
            : null;
        if (complaint is not null)
        {
            throw new CommandException(ExitCode.Usage, complaint + "; see: everheap resume --help");
        }
    }

    private static int RunOne(
        HeapStore store, string heapPath, string? heapName, CheckpointReference? from, ProcessOptions options, string? folder, Termination termination)
    {
        string name = HeapChoice.Choose(store, heapName);
        if (from?.Resolve(store, name) is long number && number != store.GetHeap(name).LatestCheckpoint)
        {
            store.Revert(name, number);
        }

        using OutputFiles? files = folder is null ? null : OutputFiles.Open(folder, name);
        using var program = new RunningProgram(
            store,
            Process.Resume(store, options with { HeapName = name, StandardOutput = files?.Output, StandardError = files?.Error }),
            heapPath,
            options.KeepFile);
        return program.Run(termination);
    }
}
