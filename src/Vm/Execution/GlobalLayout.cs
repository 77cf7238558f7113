using Everheap.Vm.Modules;

namespace Everheap.Vm.Execution;

/// <summary>Where a module's own globals lie, behind the context and in the heap alike: one after the other, each of one unit of 8 bytes, or two for a vector.</summary>
internal sealed class GlobalLayout
{
    private readonly int[] _unitOf;

    private GlobalLayout(int[] unitOf, int units)
    {
        _unitOf = unitOf;
        Units = units;
    }

    /// <summary>How many units they take up.</summary>
    public int Units { get; }

    public static GlobalLayout Of(Module module)
    {
        var unitOf = new int[module.GlobalDeclarations.Count];
        int units = 0;
        for (int index = 0; index < unitOf.Length; index++)
        {
            unitOf[index] = units;
            units += module.Globals[module.ImportedGlobalCount + index].ValueType.Units;
        }

        return new GlobalLayout(unitOf, units);
    }

    /// <summary>The first unit of a global.</summary>
    /// <param name="declared">Its index among the module's own.</param>
    public int UnitOf(int declared) => _unitOf[declared];

    /// <summary>The offset in bytes of a global.</summary>
    /// <param name="declared">Its index among the module's own.</param>
    public int OffsetOf(int declared) => _unitOf[declared] * sizeof(ulong);
}
