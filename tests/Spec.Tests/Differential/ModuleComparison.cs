using System.Globalization;
using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests.Differential;

/// <summary>Runs modules in both machines and compares what they show.</summary>
internal sealed class ModuleComparison : IDisposable
{
    private static readonly TimeSpan ShrinkTimeMax = TimeSpan.FromMinutes(3);

    // Wasmtime keeps some 60 KB of every module for as long as the engine lives.
    private const int ModulesOfAWitnessMax = 500;

    private readonly EverheapMachine _ours;
    private WasmtimeMachine _witness = new();
    private int _modulesOfTheWitness;
    private long _modules;
    private long _bytes;
    private long _returned;
    private long _trapped;
    private long _hostCalls;

    /// <summary>Prepares to run.</summary>
    /// <param name="folder">Where files go meanwhile.</param>
    /// <param name="globals">What Everheap is to give for <see cref="HostInterface.Globals"/>, where that is not what Wasmtime is to give; null for the same.</param>
    public ModuleComparison(string folder, ulong[]? globals = null) =>
        _ours = new EverheapMachine(folder, globals ?? [.. HostInterface.Globals.Select(global => global.Bits)]);

    /// <summary>What has been done so far.</summary>
    public string Summary => string.Create(
        CultureInfo.InvariantCulture,
        $"{_modules:N0} modules of {_bytes:N0} bytes; {_returned:N0} calls returned, {_trapped:N0} trapped, {_hostCalls:N0} calls of the host; "
        + $"{_ours.Captures:N0} captures, {_ours.Resumes:N0} taken up by another instance");

    /// <summary>Runs the module of a seed.</summary>
    /// <param name="seed">The seed.</param>
    /// <param name="waysOf">The ways to run it.</param>
    /// <returns>What is different, with the module made as small as it will be; null where nothing is.</returns>
    public string? DifferenceOf(int seed, Func<ModulePlan, IEnumerable<RunWay>> waysOf)
    {
        if (++_modulesOfTheWitness > ModulesOfAWitnessMax)
        {
            _modulesOfTheWitness = 1;
            _witness.Dispose();
            _witness = new WasmtimeMachine();
        }

        ModulePlan plan = ModuleGenerator.Generate(seed, Features.All);
        byte[] bytes = ModuleWriter.Write(plan);
        if (_witness.WhyInvalid(bytes) is string why)
        {
            return $"seed {seed}: the generator made a module that is not valid: {why}\n{PlanText.Of(plan)}{Convert.ToHexString(bytes)}";
        }

        Observation expected = _witness.Run(plan, bytes);
        _modules++;
        _bytes += bytes.Length;
        _returned += expected.Returned;
        _trapped += expected.Trapped;
        _hostCalls += expected.HostCalls;
        Module module = Module.Decode(bytes);
        foreach (RunWay way in waysOf(plan))
        {
            if (expected.DifferenceFrom(RunOurs(plan, module, way)) is string difference)
            {
                return Describe(seed, plan, way, difference);
            }
        }

        return null;
    }

    public void Dispose()
    {
        _ours.Dispose();
        _witness.Dispose();
    }

    private string Describe(int seed, ModulePlan plan, RunWay way, string difference)
    {
        Shrinker.Shrink(plan, smaller => Difference(smaller, way) is not null, ShrinkTimeMax);
        return $"seed {seed}, {way.Name}: {difference}\nmade smaller: {Difference(plan, way)}\n{PlanText.Of(plan)}{Convert.ToHexString(ModuleWriter.Write(plan))}";
    }

    // An exception of ours is a difference like any other, and shrunk like any other.
    private Observation RunOurs(ModulePlan plan, Module module, RunWay way)
    {
        try
        {
            return _ours.Run(plan, module, way);
        }
#pragma warning disable CA1031 // It is reported.
        catch (Exception e)
#pragma warning restore CA1031
        {
            var observation = new Observation();
            observation.NoteRefusal(e.ToString());
            return observation;
        }
    }

    private string? Difference(ModulePlan plan, RunWay way)
    {
        byte[] bytes;
        try
        {
            bytes = ModuleWriter.Write(plan);
        }
        catch (InvalidOperationException)
        {
            return null;
        }

        return _witness.WhyInvalid(bytes) is not null ? null : _witness.Run(plan, bytes).DifferenceFrom(RunOurs(plan, Module.Decode(bytes), way));
    }
}
