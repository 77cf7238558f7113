using System.Reflection.Emit;

namespace Everheap.Vm.Compilation;

/// <summary>Loads and stores of locals, in their shortest forms. The runtime's own way takes a local itself, and compares the instruction's name to find out which it is: a thirtieth of the time that emitting code takes.</summary>
internal static class IlLocals
{
    private static readonly OpCode[] ShortLoads = [OpCodes.Ldloc_0, OpCodes.Ldloc_1, OpCodes.Ldloc_2, OpCodes.Ldloc_3];
    private static readonly OpCode[] ShortStores = [OpCodes.Stloc_0, OpCodes.Stloc_1, OpCodes.Stloc_2, OpCodes.Stloc_3];

    /// <summary>Loads a local.</summary>
    public static void LoadLocal(this ILGenerator il, LocalBuilder local) => Emit(il, local.LocalIndex, ShortLoads, OpCodes.Ldloc_S, OpCodes.Ldloc);

    /// <summary>Stores to a local what is on the evaluation stack.</summary>
    public static void StoreLocal(this ILGenerator il, LocalBuilder local) => Emit(il, local.LocalIndex, ShortStores, OpCodes.Stloc_S, OpCodes.Stloc);

    private static void Emit(ILGenerator il, int index, OpCode[] shortForms, OpCode byteForm, OpCode longForm)
    {
        if (index < shortForms.Length)
        {
            il.Emit(shortForms[index]);
        }
        else if (index <= byte.MaxValue)
        {
            il.Emit(byteForm, (byte)index);
        }
        else
        {
            il.Emit(longForm, (short)index);
        }
    }
}
