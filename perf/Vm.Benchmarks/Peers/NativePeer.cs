using System.Diagnostics;
using Everheap.Vm.Benchmarks.Children;
using Everheap.Vm.Tests.Guests;

namespace Everheap.Vm.Benchmarks.Peers;

/// <summary>The programs as the system's C compiler makes them, where there is one: built when they are first run, into a folder that goes with this object.</summary>
internal sealed class NativePeer : Peer, IDisposable
{
    // As the modules were compiled: without fused multiplication and addition, and for no processor in particular.
    private static readonly string[] Flags = ["-O2", "-ffp-contract=off"];
    private static readonly string[] Compilers = ["clang", "gcc", "cc"];
    private static readonly string Sources = Path.Combine(GuestCatalog.SharedGuests, "bench", "src");

    // What they compute depends on the order in which arguments are evaluated, which C leaves to the compiler. The modules have clang's.
    private static readonly string[] OrderDependent = ["json"];

    private readonly string? _compiler;
    private readonly string _version = "";
    private readonly Dictionary<string, string> _built = [];
    private readonly Lazy<ScratchFolder> _folder = new(() => new ScratchFolder());

    public NativePeer()
        : base("native", "native")
    {
        foreach (string compiler in Compilers)
        {
            if (!OperatingSystem.IsWindows() && Tool.TryRun(compiler, "--version") is { } version)
            {
                (_compiler, _version) = (compiler, version);
                break;
            }
        }
    }

    public override string Description => $"{_version} {string.Join(' ', Flags)}";

    public override string? WhyMissing => _compiler is null ? "there is no C compiler" : null;

    public override bool RunsModules => false;

    public override bool CanRun(GuestCase program) => File.Exists(SourceOf(program)) && (_compiler == "clang" || !OrderDependent.Contains(program.Name));

    public override ProcessStartInfo Start(GuestCase? program, ChildCommand command)
    {
        ArgumentNullException.ThrowIfNull(program);
        if (!_built.TryGetValue(program.Name, out string? executable))
        {
            _built[program.Name] = executable = Build(program);
        }

        return new ProcessStartInfo(executable, command.Arguments);
    }

    public void Dispose()
    {
        if (_folder.IsValueCreated)
        {
            _folder.Value.Dispose();
        }
    }

    // NAME_simd.wasm is NAME.c with vector instructions.
    private static string SourceOf(GuestCase program) =>
        Path.Combine(Sources, program.Name.Replace("_simd", "", StringComparison.Ordinal) + ".c");

    private string Build(GuestCase program)
    {
        string executable = _folder.Value.File(program.Name);
        string hook = Path.Combine(AppContext.BaseDirectory, "Peers", "native.c");
        return Tool.TryRun(_compiler!, [.. Flags, SourceOf(program), hook, "-o", executable, "-lm"]) is null
            ? throw new InvalidOperationException($"{_compiler} cannot build {SourceOf(program)}")
            : executable;
    }
}
