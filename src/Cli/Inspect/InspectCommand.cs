using System.CommandLine;
using Everheap.Vm.Modules;

namespace Everheap.Cli.Inspect;

/// <summary><c>everheap inspect</c>: what a module is made of, what it needs, and whether it can be run.</summary>
internal static class InspectCommand
{
    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        var module = new Argument<string>("MODULE") { Description = "The WebAssembly module, a .wasm file." };
        var json = new Option<bool>("--json") { Description = "Print one JSON object, with everything." };
        var command = new Command("inspect", "Show a module's sections, imports, exports and memories, and what it needs to run.") { module, json };
        command.SetAction(result => Show(result.GetRequiredValue(module), result.GetValue(json)));
        return command;
    }

    private static int Show(string path, bool isJson)
    {
        if (!File.Exists(path))
        {
            throw new CommandException(ExitCode.File, $"no such file: {path}; give the path of a .wasm file");
        }

        Module module;
        try
        {
            module = Module.Load(path);
        }
        catch (WasmFormatException exception)
        {
            throw new CommandException(ExitCode.Module, $"{path}: {exception.Message}");
        }

        var description = new ModuleDescription(Path.GetFileName(path), module);
        if (isJson)
        {
            using Stream output = Console.OpenStandardOutput();
            ModuleJson.Write(description, output);
            return ExitCode.Success;
        }

        using TextWriter text = PlainOutput.Open();
        int? width = Console.IsOutputRedirected ? null : Console.WindowWidth;
        new ModuleText(description, width, text).Write();
        return ExitCode.Success;
    }
}
