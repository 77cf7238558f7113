using System.Diagnostics;
using Everheap.Vm.Benchmarks.Children;
using Everheap.Vm.Tests.Guests;

namespace Everheap.Vm.Benchmarks.Peers;

/// <summary>A peer that is a library of this same executable: it is started again as <c>--child NAME</c>.</summary>
internal sealed class ManagedPeer(string name, string title, string description, bool hasCache, bool isVariant, Func<ChildCommand, int> run, bool takesUpCache = false)
    : Peer(name, title)
{
    /// <summary>The first argument that makes this executable a child.</summary>
    public const string Switch = "--child";

    public override string Description { get; } = description;

    public override bool HasCache { get; } = hasCache;

    public override bool IsVariant { get; } = isVariant;

    public override bool TakesUpCache { get; } = takesUpCache;

    /// <summary>In the child.</summary>
    public int Run(ChildCommand command) => run(command);

    // Under "dotnet run" the process is the app's own host executable; under "dotnet X.dll" it is dotnet, which wants the DLL first.
    public override ProcessStartInfo Start(GuestCase? program, ChildCommand command)
    {
        string host = Environment.ProcessPath!;
        bool isDotnet = Path.GetFileNameWithoutExtension(host).Equals("dotnet", StringComparison.OrdinalIgnoreCase);
        string[] arguments = [Switch, Name, .. command.ToArguments()];
        return new ProcessStartInfo(host, isDotnet ? [typeof(ManagedPeer).Assembly.Location, .. arguments] : arguments);
    }
}
