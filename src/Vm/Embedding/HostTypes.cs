using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Embedding;

/// <summary>How values of .NET and of WebAssembly stand for each other, and lie in slots: units of 8 bytes, one for each, two for a vector.</summary>
internal static class HostTypes
{
    /// <summary>The WebAssembly type of a .NET type.</summary>
    /// <exception cref="ArgumentException">There is none.</exception>
    public static ValType ValTypeOf(Type type) => TryGetValType(type, out ValType valType)
        ? valType
        : throw new ArgumentException(
            $"{type} is not the type of a WebAssembly value: those are int, uint, long, ulong, float, double, Vector128<byte>, {nameof(Function)} and {nameof(ExternalReference)}");

    /// <summary>Whether a .NET type is one that a host may give for a parameter, or a global, of a WebAssembly type.</summary>
    public static bool Gives(Type type, ValType wanted) => TryGetValType(type, out ValType given) && given == wanted;

    /// <summary>Whether values of a WebAssembly type can be taken as a .NET type.</summary>
    public static bool Takes(Type type, ValType given) => TryGetValType(type, out ValType wanted) && wanted == (given.IsReference ? given.Stored : given);

    /// <summary>The types of a delegate's result: several for a tuple, none for void.</summary>
    public static Type[] ResultTypesOf(Type returnType) =>
        returnType == typeof(void) ? []
        : returnType.IsGenericType && typeof(ITuple).IsAssignableFrom(returnType) && returnType.IsValueType ? returnType.GetGenericArguments()
        : [returnType];

    /// <summary>Puts a value into its slot.</summary>
    public static void Store<T>(Span<ulong> slots, int unit, T value, Machine machine)
    {
        if (typeof(T) == typeof(int))
        {
            slots[unit] = (uint)Unsafe.As<T, int>(ref value);
        }
        else if (typeof(T) == typeof(uint))
        {
            slots[unit] = Unsafe.As<T, uint>(ref value);
        }
        else if (typeof(T) == typeof(long) || typeof(T) == typeof(ulong) || typeof(T) == typeof(double) || typeof(T) == typeof(ExternalReference))
        {
            slots[unit] = Unsafe.As<T, ulong>(ref value);
        }
        else if (typeof(T) == typeof(float))
        {
            slots[unit] = Unsafe.As<T, uint>(ref value);
        }
        else if (typeof(T) == typeof(Vector128<byte>))
        {
            Vector128<ulong> halves = Unsafe.As<T, Vector128<ulong>>(ref value);
            slots[unit] = halves.GetElement(0);
            slots[unit + 1] = halves.GetElement(1);
        }
        else
        {
            slots[unit] = Function.ReferenceOf((Function?)(object?)value, machine);
        }
    }

    /// <summary>Takes a value out of its slot.</summary>
    public static T Load<T>(ReadOnlySpan<ulong> slots, int unit, Machine machine)
    {
        if (typeof(T) == typeof(int) || typeof(T) == typeof(uint) || typeof(T) == typeof(float))
        {
            uint word = (uint)slots[unit];
            return Unsafe.As<uint, T>(ref word);
        }

        if (typeof(T) == typeof(long) || typeof(T) == typeof(ulong) || typeof(T) == typeof(double) || typeof(T) == typeof(ExternalReference))
        {
            ulong bits = slots[unit];
            return Unsafe.As<ulong, T>(ref bits);
        }

        if (typeof(T) == typeof(Vector128<byte>))
        {
            Vector128<ulong> halves = Vector128.Create(slots[unit], slots[unit + 1]);
            return Unsafe.As<Vector128<ulong>, T>(ref halves);
        }

        return (T)(object?)Function.Of(slots[unit], machine)!;
    }

    /// <summary>Puts a boxed value into its slot; a number of the other sign, or a narrower one, will do.</summary>
    /// <exception cref="ArgumentException">It is not of that type.</exception>
    public static void StoreBoxed(Span<ulong> slots, int unit, object? value, ValType type, Machine machine)
    {
        switch (type, value)
        {
            case (ValType.I32, int number):
                Store(slots, unit, number, machine);
                break;
            case (ValType.I32, uint number):
                Store(slots, unit, number, machine);
                break;
            case (ValType.I64, long number):
                Store(slots, unit, number, machine);
                break;
            case (ValType.I64, ulong number):
                Store(slots, unit, number, machine);
                break;
            case (ValType.I64, int number):
                Store(slots, unit, (long)number, machine);
                break;
            case (ValType.F32, float number):
                Store(slots, unit, number, machine);
                break;
            case (ValType.F64, double number):
                Store(slots, unit, number, machine);
                break;
            case (ValType.V128, Vector128<byte> vector):
                Store(slots, unit, vector, machine);
                break;
            case (ValType.FuncRef, null or Function):
                Store(slots, unit, (Function?)value, machine);
                break;
            case (ValType.ExternRef, null):
                slots[unit] = 0;
                break;
            case (ValType.ExternRef, ExternalReference reference):
                Store(slots, unit, reference, machine);
                break;
            default:
                throw new ArgumentException($"{value ?? "null"} cannot be given for {ValTypes.NameOf(type)}");
        }
    }

    /// <summary>Takes a value out of its slot, boxed.</summary>
    public static object? LoadBoxed(ReadOnlySpan<ulong> slots, int unit, ValType type, Machine machine) => type.Stored switch
    {
        ValType.I32 => Load<int>(slots, unit, machine),
        ValType.I64 => Load<long>(slots, unit, machine),
        ValType.F32 => Load<float>(slots, unit, machine),
        ValType.F64 => Load<double>(slots, unit, machine),
        ValType.V128 => Load<Vector128<byte>>(slots, unit, machine),
        ValType.FuncRef => Load<Function?>(slots, unit, machine),
        ValType.ExternRef => Load<ExternalReference>(slots, unit, machine),
        _ => throw new InvalidOperationException($"a host cannot take a {ValTypes.NameOf(type)}"),
    };

    private static bool TryGetValType(Type type, out ValType valType)
    {
        valType =
            type == typeof(int) || type == typeof(uint) ? ValType.I32
            : type == typeof(long) || type == typeof(ulong) ? ValType.I64
            : type == typeof(float) ? ValType.F32
            : type == typeof(double) ? ValType.F64
            : type == typeof(Vector128<byte>) ? ValType.V128
            : type == typeof(Function) ? ValType.FuncRef
            : type == typeof(ExternalReference) ? ValType.ExternRef
            : ValType.Bottom;
        return valType != ValType.Bottom;
    }
}
