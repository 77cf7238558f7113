using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Reflection;
using Everheap.Cli.History;
using Everheap.Cli.Inspect;
using Everheap.Cli.Transfer;

namespace Everheap.Cli;

/// <summary>The grammar of the command line.</summary>
internal static class CommandLine
{
    /// <summary>Parses and carries out a command line.</summary>
    /// <param name="args">The arguments.</param>
    /// <returns>The exit code.</returns>
    public static int Invoke(string[] args)
    {
        // The program's own arguments never meet the parser: whatever they look like, they are passed on as they are.
        int separator = Array.IndexOf(args, "--");
        string[] own = separator < 0 ? args : args[..separator];
        RootCommand root = Build(own, separator < 0 ? [] : args[(separator + 1)..]);
        if (own.Length == 0)
        {
            using TextWriter error = PlainOutput.OpenError();
            HelpPage.Write(root, error);
            return ExitCode.Usage;
        }

        ParseResult result = root.Parse(own, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (result.Action is ParseErrorAction)
        {
            throw new CommandException(ExitCode.Usage, $"{Complaint(result)}; see: {HelpCommandFor(result)}");
        }

        if (separator >= 0 && result.CommandResult.Command.Name != RunCommand.Name)
        {
            throw new CommandException(ExitCode.Usage, $"only 'run' takes a program's arguments after --; see: {HelpCommandFor(result)}");
        }

        return result.Invoke(new InvocationConfiguration
        {
            EnableDefaultExceptionHandler = false,

            // The library's own signal handling would end the process; run and resume have theirs.
            ProcessTerminationTimeout = null,
        });
    }

    private static RootCommand Build(string[] own, string[] guestArguments)
    {
        var root = new RootCommand("Runs WebAssembly programs that survive anything: their whole state lives in one file.");
        foreach (Command command in CommandsFor(own, guestArguments))
        {
            root.Add(command);
        }

        foreach (Option option in root.Options)
        {
            switch (option)
            {
                case HelpOption help:
                    help.Description = "Show help for a command.";
                    help.Action = new HelpPage();
                    break;
                case VersionOption version:
                    version.Description = "Show the version.";
                    version.Action = new VersionAction();
                    break;
            }
        }

        return root;
    }

    // Of those that start a program, only the one that was asked for: the others take the runtime some 15 ms.
    private static Command[] CommandsFor(string[] own, string[] guestArguments) => own switch
    {
        [RunCommand.Name, ..] => [RunCommand.Build(guestArguments)],
        [ResumeCommand.Name, ..] => [ResumeCommand.Build()],
        _ =>
        [
            RunCommand.Build(guestArguments),
            ResumeCommand.Build(),
            LogCommand.Build(),
            StackCommand.Build(),
            InspectCommand.Build(),
            ForkCommand.Build(),
            RevertCommand.Build(),
            RetainCommand.Build(),
            DropCommand.Build(),
            DiffCommand.Build(),
            CompactCommand.Build(),
            VerifyCommand.Build(),
            SendCommand.Build(),
            ReceiveCommand.Build(),
            Torture.TortureCommand.Build(),
        ],
    };

    private static string HelpCommandFor(ParseResult result)
    {
        Command command = result.CommandResult.Command;
        return command is RootCommand ? "everheap --help" : $"everheap {command.Name} --help";
    }

    private static string Complaint(ParseResult result)
    {
        Command command = result.CommandResult.Command;
        if (result.UnmatchedTokens.Count > 0)
        {
            string token = result.UnmatchedTokens[0];
            return command switch
            {
                RootCommand when token.StartsWith('-') => $"there is no option '{token}'",
                RootCommand => $"there is no command '{token}'",
                _ when token.StartsWith('-') => $"'{command.Name}' has no option '{token}'",
                _ when command.Name == RunCommand.Name => $"'{token}' is one too many: the program's own arguments stand after --",
                _ => $"'{token}' is one too many",
            };
        }

        Argument? missing = command.Arguments.FirstOrDefault(argument => argument.Arity.MinimumNumberOfValues > 0 && result.GetResult(argument) is null or { Tokens.Count: 0 });
        if (missing is not null)
        {
            return $"'{command.Name}' needs {(missing.Name is "N" or "A" ? "an" : "a")} {missing.Name}";
        }

        return result.Errors[0].Message.TrimEnd('.');
    }

    private sealed class VersionAction : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            string version = typeof(Program).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;

            // What follows "+" names the commit it was built from.
            using TextWriter output = PlainOutput.Open();
            output.WriteLine("everheap " + version.Split('+')[0]);
            return ExitCode.Success;
        }
    }
}
