using System.Diagnostics;
using Everheap.Vm.Benchmarks.Children;
using Everheap.Vm.Tests.Guests;

namespace Everheap.Vm.Benchmarks.Peers;

/// <summary>Something that runs programs, Everheap itself at several settings among them, each in a process of its own, so that no run warms up the next.</summary>
/// <param name="name">On the command line.</param>
/// <param name="title">In the tables.</param>
internal abstract class Peer(string name, string title)
{
    /// <summary>The environment variable that asks a native program for <see cref="Programs.MarkedModule.Mark"/>.</summary>
    public const string MarkVariable = "EVERHEAP_BENCH_MARK";

    public string Name { get; } = name;

    public string Title { get; } = title;

    /// <summary>What exactly it is: the version, and settings that are not the default.</summary>
    public abstract string Description { get; }

    /// <summary>Why it cannot be had here; null if it can.</summary>
    public virtual string? WhyMissing => null;

    /// <summary>Whether it keeps compiled code where <see cref="ChildCommand.CachePath"/> says.</summary>
    public virtual bool HasCache => false;

    /// <summary>Whether it is measured with the compiled code that an earlier run of the same program has left there.</summary>
    public virtual bool TakesUpCache => false;

    /// <summary>Whether it runs WebAssembly modules.</summary>
    public virtual bool RunsModules => true;

    /// <summary>Whether it is another peer at another setting, which makes a difference only to programs that run for a while.</summary>
    public virtual bool IsVariant => false;

    /// <summary>Whether starting and holding modules takes it something of its own: it runs them, and is not another peer at another setting.</summary>
    public bool HoldsModules => RunsModules && !IsVariant && !TakesUpCache;

    /// <summary>Whether it can run a program.</summary>
    public virtual bool CanRun(GuestCase program) => true;

    /// <summary>How to start a process that does what a command says.</summary>
    /// <param name="program">The program; null where the command names any other module.</param>
    /// <param name="command">The command, whose module may be a variant of the program's.</param>
    public abstract ProcessStartInfo Start(GuestCase? program, ChildCommand command);
}
