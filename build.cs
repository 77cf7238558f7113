// The build's logic, as a file-based app: dotnet run --file build.cs -- build|test|bench|pack
// It only calls the .NET SDK, so that a fresh machine needs nothing else.

using System.Diagnostics;
using System.Runtime.CompilerServices;

const string Usage = """
    usage: build.ps1 COMMAND

      build           build the whole solution in Release
      test [ARGS]     run all tests, two projects at a time; ARGS go to dotnet test (for example --filter NAME)
      bench           run every benchmark in its smoke size (well under a minute each)
      bench --full    run every benchmark in the size that docs/benchmarks.md reports
      api             write src/Engine/PublicAPI.Unshipped.txt anew, after the public API was changed on purpose
      format          fail if layout or the order of imports is not as dotnet format makes them (the build checks the rest)
      pack            build the NuGet packages into artifacts/
    """;

string root = Path.GetDirectoryName(SourcePath())!;
(string Project, string FullSize)[] benchmarks = [("perf/Engine.Benchmarks", "--report"), ("perf/Vm.Benchmarks", "--full")];

if (args.Length == 0 || args[0] is "help" or "-h" or "--help")
{
    Console.WriteLine(Usage);
    return args.Length == 0 ? 2 : 0;
}

string[] rest = args[1..];
switch (args[0])
{
    case "build":
        return Dotnet(["build", "Everheap.slnx", "-c", "Release", .. rest]);
    case "test":
        // -m:2: two projects at a time. Most of them keep one core busy and then wait, for a process or a medium; none shares files or ports with another.
        return Dotnet(["test", "-c", "Release", "-m:2", .. rest]);
    case "bench":
        foreach ((string project, string fullSize) in benchmarks)
        {
            int exit = Dotnet(["run", "-c", "Release", "--project", project, "--", rest is ["--full"] ? fullSize : "--smoke"]);
            if (exit != 0)
            {
                return exit;
            }
        }

        return 0;
    case "api":
        // The build fails while the file and the code differ (RS0016, RS0017); the analyzer's own fix writes what is missing.
        File.WriteAllText(Path.Combine(root, "src/Engine/PublicAPI.Unshipped.txt"), "#nullable enable\n");
        return Dotnet(["format", "analyzers", "src/Engine/Everheap.Engine.csproj", "--diagnostics", "RS0016", "--severity", "warn", .. rest]);
    case "format":
        // What a build does not look at: layout, and the order of imports. All else that dotnet format checks is an error of the build.
        int layout = Dotnet(["format", "whitespace", ".", "--folder", "--verify-no-changes", .. rest]);
        int imports = Dotnet(["format", "style", "Everheap.slnx", "--diagnostics", "IMPORTS", "--verify-no-changes", .. rest]);
        return layout != 0 ? layout : imports;
    case "pack":
        foreach (string project in (string[])["src/Engine", "src/Vm"])
        {
            int exit = Dotnet(["pack", project, "-c", "Release", "-o", "artifacts", .. rest]);
            if (exit != 0)
            {
                return exit;
            }
        }

        return 0;
    default:
        Console.Error.WriteLine($"build: no command \"{args[0]}\"");
        Console.Error.WriteLine(Usage);
        return 2;
}

int Dotnet(IEnumerable<string> arguments)
{
    Console.WriteLine($"> dotnet {string.Join(' ', arguments)}");
    using Process process = Process.Start(new ProcessStartInfo("dotnet", arguments) { WorkingDirectory = root })!;
    process.WaitForExit();
    return process.ExitCode;
}

// The folder of this source file is the repository's root, wherever the app is run from.
static string SourcePath([CallerFilePath] string path = "") => path;
