using System.Numerics;
using Everheap.Vm.Modules;
using Everheap.Vm.Validation;

namespace Everheap.Spec.Tests.Differential;

/// <content>Memories.</content>
internal sealed partial class FunctionGenerator
{
    private const int PageBytes = 4096;
    private const int NamesAMemory = 0x40;

    private static readonly ILookup<ValType, Opcode> Loads =
        Enumerable.Range((int)Opcode.I32Load, Opcode.I64Load32U - Opcode.I32Load + 1).Select(number => (Opcode)number).ToLookup(opcode => Signatures.OfAccess(opcode).Value);

    private static readonly Opcode[] Stores = [.. Enumerable.Range((int)Opcode.I32Store, Opcode.I64Store32 - Opcode.I32Store + 1).Select(number => (Opcode)number)];

    private int? AnyMemory() => _plan.Memories.Count > 0 ? _random.Next(_plan.Memories.Count) : null;

    private static Node Number(bool is64, long value) => is64 ? EdgeValues.I64(value) : EdgeValues.I32((int)value);

    /// <summary>An address: mostly inside of the memory, often at the border of a page or of the memory, sometimes anywhere.</summary>
    private Node Address(int memory, out long offset)
    {
        MemoryPlan plan = _plan.Memories[memory];
        long length = Math.Max(plan.Bytes, PageBytes);
        long mask = (long)(ulong.MaxValue >> (BitOperations.LeadingZeroCount((ulong)length - 1) + 1));
        int kind = _random.Next(1000);
        offset = kind < 600 ? _random.Next(64) : kind < 900 ? _random.NextInt64(length) : kind < 990 ? 0 : plan.Is64 ? _random.NextInt64() : _random.Next(int.MaxValue);
        return _random.Next(100) switch
        {
            < 60 => Node.Of(plan.Is64 ? Opcode.I64And : Opcode.I32And, plan.AddressType, Value(plan.AddressType), Number(plan.Is64, mask)),
            < 78 => Number(plan.Is64, (_random.NextInt64(length / PageBytes) * PageBytes) + _random.Next(-16, 16) - (Chance(80) ? offset : 0)),
            < 84 => Number(plan.Is64, length - _random.Next(20) - offset),
            < 97 => Number(plan.Is64, _random.NextInt64(length)),
            _ => Value(plan.AddressType),
        };
    }

    private byte[] AccessImmediates(int alignmentExponentMax, int memory, long offset) => MemoryImmediates(_random.Next(alignmentExponentMax + 1), memory, offset);

    private static byte[] MemoryImmediates(int alignmentExponent, int memory, long offset) => BinaryWriter.BytesOf(writer =>
    {
        if (memory == 0)
        {
            writer.Unsigned(alignmentExponent);
        }
        else
        {
            writer.Unsigned(alignmentExponent | NamesAMemory).Unsigned(memory);
        }

        writer.Unsigned((ulong)offset);
    });

    private Node? Load(ValType type)
    {
        if (AnyMemory() is not int memory)
        {
            return null;
        }

        if (type == ValType.V128)
        {
            return LoadVector(memory);
        }

        Opcode opcode = OneOf([.. Loads[type]]);
        Node address = Address(memory, out long offset);
        return new Node
        {
            Opcode = opcode,
            Results = [type],
            Operands = [address],
            Immediates = AccessImmediates(Signatures.OfAccess(opcode).AlignmentExponentMax, memory, offset),
        };
    }

    private Node? Store()
    {
        if (AnyMemory() is not int memory)
        {
            return null;
        }

        if (Has(Features.Vectors) && Chance(20))
        {
            return StoreVector(memory);
        }

        Opcode opcode = OneOf(Stores);
        AccessSignature signature = Signatures.OfAccess(opcode);
        Node address = Address(memory, out long offset);
        Node value = Value(signature.Value);
        return Node.Statement(
            opcode, AccessImmediates(signature.AlignmentExponentMax, memory, offset), address, signature.Value is ValType.F32 or ValType.F64 ? Canonical(value) : value);
    }

    /// <summary>A size, or what growing returns.</summary>
    private Node? Count(ValType type)
    {
        if (type is not (ValType.I32 or ValType.I64))
        {
            return null;
        }

        if (Chance(40))
        {
            return CountElements(type);
        }

        if (AnyMemory() is not int memory || _plan.Memories[memory].AddressType != type)
        {
            return null;
        }

        return Chance(60)
            ? new Node { Opcode = Opcode.MemorySize, Results = [type], Immediates = Index(memory) }
            : new Node { Opcode = Opcode.MemoryGrow, Results = [type], Operands = [SmallCount(3, type)], Immediates = Index(memory) };
    }

    /// <summary>A number that is mostly less than a bound.</summary>
    private Node SmallCount(int bound, ValType type = ValType.I32) => Chance(88) ? Number(type == ValType.I64, _random.Next(bound)) : Value(type);

    private Node? BulkMemory()
    {
        if (AnyMemory() is not int memory)
        {
            return null;
        }

        ValType type = _plan.Memories[memory].AddressType;
        switch (_random.Next(4))
        {
            case 0:
                return Node.Statement(Opcode.MemoryFill, Index(memory), Address(memory, out _), Value(ValType.I32), SmallCount(RangeBound(), type));
            case 1:
                int source = AnyMemory()!.Value;
                ValType lengthType = type == ValType.I64 && _plan.Memories[source].Is64 ? ValType.I64 : ValType.I32;
                return Node.Statement(Opcode.MemoryCopy, Index(memory, source), Address(memory, out _), Address(source, out _), SmallCount(RangeBound(), lengthType));
            case 2 when _plan.Data.Count > 0:
                int segment = _random.Next(_plan.Data.Count);
                return Node.Statement(
                    Opcode.MemoryInit, Index(segment, memory), Address(memory, out _), SmallCount(8), SmallCount(_plan.Data[segment].Bytes.Length + 1));
            case 3 when _plan.Data.Count > 0 && Chance(20):
                return Node.Statement(Opcode.DataDrop, Index(_random.Next(_plan.Data.Count)));
            default:
                return null;
        }
    }

    // Most are short; some go over pages.
    private int RangeBound() => OneOf<int>([4, 32, 300, 5000, 5000, 70_000]);
}
