using System.Reflection;
using System.Runtime.Intrinsics;
using Everheap.Vm.Execution;
using Everheap.Vm.Modules;
using Module = Everheap.Vm.Modules.Module;

namespace Everheap.Vm.Compilation;

/// <summary>The methods that compiled code calls.</summary>
internal static class RuntimeMethods
{
    public static readonly MethodInfo Trap = Find(nameof(CompiledCode.Trap));
    public static readonly MethodInfo TrapIndirectCall = Find(nameof(CompiledCode.TrapIndirectCall));
    public static readonly MethodInfo TrapTruncation = Find(nameof(CompiledCode.TrapTruncation));
    public static readonly MethodInfo BeginRecord = Find(nameof(CompiledCode.BeginRecord));
    public static readonly MethodInfo BeginSpill = Find(nameof(CompiledCode.BeginSpill));
    public static readonly MethodInfo SaveSpilled = Find(nameof(CompiledCode.SaveSpilled));
    public static readonly MethodInfo NoSuchSite = Find(nameof(CompiledCode.NoSuchSite));
    public static readonly MethodInfo StressTick = Find(nameof(CompiledCode.StressTick));
    public static readonly MethodInfo Throw = Find(nameof(CompiledCode.Throw));
    public static readonly MethodInfo ThrowReference = Find(nameof(CompiledCode.ThrowReference));
    public static readonly MethodInfo IsThrown = Find(nameof(CompiledCode.IsThrown));
    public static readonly MethodInfo Catch = Find(nameof(CompiledCode.Catch));
    public static readonly MethodInfo TraceException = Find(nameof(CompiledCode.TraceException));
    public static readonly MethodInfo LoadFrom = Find(nameof(CompiledCode.LoadFrom));
    public static readonly MethodInfo LoadVectorFrom = Find(nameof(CompiledCode.LoadVectorFrom));
    public static readonly MethodInfo StoreVectorTo = Find(nameof(CompiledCode.StoreVectorTo));
    public static readonly MethodInfo StoreTo = Find(nameof(CompiledCode.StoreTo));
    public static readonly MethodInfo MemorySize = Find(nameof(CompiledCode.MemorySize));
    public static readonly MethodInfo Atomic = Find(nameof(CompiledCode.Atomic));
    public static readonly MethodInfo CodeOf = Find(nameof(CompiledCode.CodeOf));
    public static readonly MethodInfo ReferenceAt = Find(nameof(CompiledCode.ReferenceAt));
    public static readonly MethodInfo BeginEntryRecord = Find(nameof(CompiledCode.BeginEntryRecord));
    public static readonly MethodInfo ResolveCallee = Find(nameof(CompiledCode.ResolveCallee));
    public static readonly MethodInfo CountCall = Find(nameof(CompiledCode.CountCall));
    public static readonly MethodInfo CountLoop = Find(nameof(CompiledCode.CountLoop));
    public static readonly MethodInfo CallHost = Find(nameof(CompiledCode.CallHost));

    public static readonly MethodInfo F32OfBits = typeof(Numerics).GetMethod(nameof(Numerics.F32OfBits))!;
    public static readonly MethodInfo F64OfBits = typeof(Numerics).GetMethod(nameof(Numerics.F64OfBits))!;

    public static readonly MethodInfo F32Max = typeof(Numerics).GetMethod(nameof(Numerics.F32Max))!;
    public static readonly MethodInfo F64Max = typeof(Numerics).GetMethod(nameof(Numerics.F64Max))!;

    public static readonly MethodInfo VectorZero = typeof(Vector128<byte>).GetProperty(nameof(Vector128<byte>.Zero))!.GetMethod!;
    public static readonly MethodInfo VectorOfHalves = typeof(Vector128).GetMethod(nameof(Vector128.Create), [typeof(long), typeof(long)])!;

    private static readonly MethodInfo[] Loads =
    [
        Find(nameof(CompiledCode.Load8)), Find(nameof(CompiledCode.Load16)), Find(nameof(CompiledCode.Load32)), Find(nameof(CompiledCode.Load64)),
        Find(nameof(CompiledCode.Load128)),
    ];

    private static readonly MethodInfo[] Stores =
    [
        Find(nameof(CompiledCode.Store8)), Find(nameof(CompiledCode.Store16)), Find(nameof(CompiledCode.Store32)), Find(nameof(CompiledCode.Store64)),
        Find(nameof(CompiledCode.Store128)),
    ];

    /// <summary>The method that loads so many bytes, zero-extended to 8, or 16, whatever stands in the way.</summary>
    public static MethodInfo LoadOf(int size) => Loads[int.Log2(size)];

    /// <summary>The method that stores so many bytes, whatever stands in the way.</summary>
    public static MethodInfo StoreOf(int size) => Stores[int.Log2(size)];

    /// <summary>The method by which a function that left at a memory access goes on in its twin.</summary>
    public static MethodInfo ContinueInTwin(FunctionType type) => Find((type.Results.Length == 0 ? ValType.Bottom : type.Results[0]) switch
    {
        ValType.Bottom => nameof(CompiledCode.ContinueInTwin),
        ValType.I32 => nameof(CompiledCode.ContinueInTwinI32),
        ValType.F32 => nameof(CompiledCode.ContinueInTwinF32),
        ValType.F64 => nameof(CompiledCode.ContinueInTwinF64),
        ValType.V128 => nameof(CompiledCode.ContinueInTwinV128),
        _ => nameof(CompiledCode.ContinueInTwinI64),
    });

    /// <summary>The method of an instruction on ranges or sizes, how many operands it takes, and its result type.</summary>
    public static (MethodInfo Method, int OperandCount, ValType Result) BulkOf(Opcode opcode, in Instruction instruction, Module module) => opcode switch
    {
        Opcode.MemoryGrow => (Find(nameof(CompiledCode.MemoryGrow)), 1, AddressTypeOf(module.Memories[instruction.Index].Is64)),
        Opcode.MemoryInit => (Find(nameof(CompiledCode.MemoryInit)), 3, ValType.Bottom),
        Opcode.DataDrop => (Find(nameof(CompiledCode.DataDrop)), 0, ValType.Bottom),
        Opcode.MemoryCopy => (Find(nameof(CompiledCode.MemoryCopy)), 3, ValType.Bottom),
        Opcode.MemoryFill => (Find(nameof(CompiledCode.MemoryFill)), 3, ValType.Bottom),
        Opcode.TableInit => (Find(nameof(CompiledCode.TableInit)), 3, ValType.Bottom),
        Opcode.ElemDrop => (Find(nameof(CompiledCode.ElemDrop)), 0, ValType.Bottom),
        Opcode.TableCopy => (Find(nameof(CompiledCode.TableCopy)), 3, ValType.Bottom),
        Opcode.TableGrow => (Find(nameof(CompiledCode.TableGrow)), 2, AddressTypeOf(module.Tables[instruction.Index].Is64)),
        Opcode.TableSize => (Find(nameof(CompiledCode.TableSize)), 0, AddressTypeOf(module.Tables[instruction.Index].Is64)),
        Opcode.TableFill => (Find(nameof(CompiledCode.TableFill)), 3, ValType.Bottom),
        Opcode.TableGet => (Find(nameof(CompiledCode.TableGet)), 1, module.Tables[instruction.Index].ElementType),
        Opcode.TableSet => (Find(nameof(CompiledCode.TableSet)), 2, ValType.Bottom),
        _ => throw new InvalidOperationException($"{opcode} is not a bulk instruction."),
    };

    private static ValType AddressTypeOf(bool is64) => is64 ? ValType.I64 : ValType.I32;

    private static MethodInfo Find(string name) =>
        typeof(CompiledCode).GetMethod(name, BindingFlags.Public | BindingFlags.Static)
        ?? throw new MissingMethodException(nameof(CompiledCode), name);
}
