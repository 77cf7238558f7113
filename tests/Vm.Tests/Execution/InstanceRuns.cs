using System.Buffers.Binary;
using Everheap.Vm.Compilation;
using Everheap.Vm.Execution;

namespace Everheap.Vm.Tests.Execution;

/// <summary>Runs an instance whose function 0 leaves its result in memory, and tells which code its functions have.</summary>
internal static class InstanceRuns
{
    /// <summary>Where function 0 leaves its result.</summary>
    public const int ResultAddress = 8;

    private static readonly TimeSpan OptimisingTime = TimeSpan.FromMinutes(3);

    /// <summary>Calls function 0.</summary>
    /// <returns>Its result.</returns>
    public static int RunOnce(InstanceGroup group, Instance instance)
    {
        group.PushCall(instance, 0, []);

        Assert.That(group.Run(static () => true), Is.EqualTo(RunOutcome.Returned));
        var result = new byte[sizeof(int)];
        instance.Memory!.Read(ResultAddress, result);
        return BinaryPrimitives.ReadInt32LittleEndian(result);
    }

    /// <summary>Waits until something is so that the optimiser brings about.</summary>
    public static void WaitFor(Func<bool> condition) => Assert.That(SpinWait.SpinUntil(condition, OptimisingTime), Is.True);

    /// <summary>Waits until the optimiser has done all it was asked for.</summary>
    public static void WaitForOptimiser() => WaitFor(() => Optimiser.IsIdle);

    public static unsafe nint CodeOf(Instance instance, int function) => instance.Compiler.Functions[function].Code;

    public static unsafe nint CodeInTable(Instance instance, int element) => instance.Context->Tables[0].Entries[element].Code;
}
