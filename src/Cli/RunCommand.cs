using System.CommandLine;
using Everheap.Cli.History;
using Everheap.Engine;
using Everheap.Vm;
using Everheap.Vm.Modules;

namespace Everheap.Cli;

/// <summary><c>everheap run</c>: starts a program in a new heap file.</summary>
internal static class RunCommand
{
    /// <summary>The command's name.</summary>
    public const string Name = "run";

    /// <summary>Builds the command.</summary>
    /// <param name="guestArguments">The program's own arguments: what stood after <c>--</c>.</param>
    /// <returns>The command.</returns>
    public static Command Build(string[] guestArguments)
    {
        var module = new Argument<string>("MODULE") { Description = "The WebAssembly program, a .wasm file." };

        // For the help only: the parser would take a mistyped option for one of these.
        var arguments = new Argument<string[]>("ARGS")
        {
            Description = "The program's own arguments, after --.",
            Arity = ArgumentArity.Zero,
        };
        var heap = new Option<string?>("--heap")
        {
            HelpName = "FILE",
            Description = "The heap file (default NAME.heap in the current folder); it stays when the program has ended.",
        };
        var environment = new Option<KeyValuePair<string, string>[]>("--env")
        {
            HelpName = "NAME=VALUE",
            Description = "Set a variable of the program's environment; may be repeated.",
            CustomParser = RuntimeOptions.ParseEnvironment,
            Arity = ArgumentArity.OneOrMore,
            AllowMultipleArgumentsPerToken = false,
        };
        var runtime = new RuntimeOptions();
        var retention = new RetentionOptions();
        var command = new Command(Name, "Start a program in a new heap file.") { module, arguments, heap };
        runtime.AddTo(command);
        retention.AddTo(command);
        command.Add(environment);
        command.SetAction(result =>
        {
            string modulePath = result.GetRequiredValue(module);
            string? chosenHeap = result.GetValue(heap);
            RetentionPolicy? policy = retention.Read(result, RetentionPolicy.LatestOnly);
            ProcessOptions options = runtime.Read(result) with
            {
                ProgramName = Path.GetFileName(modulePath),
                Arguments = guestArguments,
                Environment = result.GetValue(environment) ?? [],
                Retention = policy,
                KeepFile = result.GetValue(runtime.Keep) || chosenHeap is not null || policy is not null,
            };
            return Run(modulePath, chosenHeap ?? HeapFile.DefaultFor(modulePath), options);
        });
        return command;
    }

    private static int Run(string modulePath, string heapPath, ProcessOptions options)
    {
        if (!File.Exists(modulePath))
        {
            throw new CommandException(ExitCode.File, $"no such file: {modulePath}; give the path of a .wasm file");
        }

        HeapFile.RequireFree(heapPath);
        WarmUp.BeginReading(modulePath);
        using var termination = new Termination();
        Module module;
        try
        {
            module = Module.Load(modulePath, options.CodeCache);
        }
        catch (WasmFormatException exception)
        {
            throw new CommandException(ExitCode.Module, $"{modulePath}: {exception.Message}");
        }

        using RunningProgram program = NewHeap.Create(module, heapPath, options);
        return program.Run(termination);
    }
}
