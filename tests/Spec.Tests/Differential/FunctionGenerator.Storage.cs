using Everheap.Vm.Modules;
using Everheap.Vm.Validation;

namespace Everheap.Spec.Tests.Differential;

/// <content>Memories and tables.</content>
internal sealed partial class FunctionGenerator
{
    private const int PageBytes = 4096;

    private static readonly ILookup<ValType, Opcode> Loads =
        Enumerable.Range((int)Opcode.I32Load, Opcode.I64Load32U - Opcode.I32Load + 1).Select(number => (Opcode)number).ToLookup(opcode => Signatures.OfAccess(opcode).Value);

    private static readonly Opcode[] Stores = [.. Enumerable.Range((int)Opcode.I32Store, Opcode.I64Store32 - Opcode.I32Store + 1).Select(number => (Opcode)number)];

    /// <summary>An address: mostly inside of the memory, often at the border of a page or of the memory, sometimes anywhere.</summary>
    private Node Address(int memory, out int offset)
    {
        long length = Math.Max(_plan.Memories[memory].Bytes, PageBytes);
        int mask = (int)(uint.MaxValue >> (System.Numerics.BitOperations.LeadingZeroCount((uint)length - 1) + 1));
        int kind = _random.Next(100);
        offset = kind < 60 ? _random.Next(64) : kind < 90 ? _random.Next((int)length) : kind < 99 ? 0 : _random.Next(int.MaxValue);
        return _random.Next(100) switch
        {
            < 60 => Node.Of(Opcode.I32And, ValType.I32, Value(ValType.I32), EdgeValues.I32(mask)),
            < 75 => EdgeValues.I32((_random.Next((int)(length / PageBytes)) * PageBytes) + _random.Next(-16, 16) - offset),
            < 83 => EdgeValues.I32((int)length - _random.Next(20) - offset),
            < 96 => EdgeValues.I32(_random.Next((int)length)),
            _ => Value(ValType.I32),
        };
    }

    private byte[] AccessImmediates(int alignmentExponentMax, int offset) =>
        BinaryWriter.BytesOf(writer => writer.Unsigned(_random.Next(alignmentExponentMax + 1)).Unsigned((uint)offset));

    private Node? Load(ValType type)
    {
        if (_plan.Memories.Count == 0)
        {
            return null;
        }

        Opcode opcode = OneOf([.. Loads[type]]);
        Node address = Address(0, out int offset);
        return new Node { Opcode = opcode, Results = [type], Operands = [address], Immediates = AccessImmediates(Signatures.OfAccess(opcode).AlignmentExponentMax, offset) };
    }

    private Node? Store()
    {
        if (_plan.Memories.Count == 0)
        {
            return null;
        }

        Opcode opcode = OneOf(Stores);
        AccessSignature signature = Signatures.OfAccess(opcode);
        Node address = Address(0, out int offset);
        Node value = Value(signature.Value);
        return Node.Statement(
            opcode, AccessImmediates(signature.AlignmentExponentMax, offset), address, signature.Value is ValType.F32 or ValType.F64 ? Canonical(value) : value);
    }

    /// <summary>A size, or what growing returns.</summary>
    private Node? Count(ValType type)
    {
        if (type != ValType.I32)
        {
            return null;
        }

        if (_plan.Tables.Count > 0 && Chance(40))
        {
            int table = _random.Next(_plan.Tables.Count);
            return Chance(40)
                ? new Node { Opcode = Opcode.TableSize, Results = [type], Immediates = Index(table) }
                : new Node { Opcode = Opcode.TableGrow, Results = [type], Operands = [Value(_plan.Tables[table].ElementType), SmallCount(4)], Immediates = Index(table) };
        }

        return _plan.Memories.Count == 0 ? null : Chance(60)
            ? new Node { Opcode = Opcode.MemorySize, Results = [type], Immediates = [0] }
            : new Node { Opcode = Opcode.MemoryGrow, Results = [type], Operands = [SmallCount(3)], Immediates = [0] };
    }

    /// <summary>A number that is mostly less than a bound.</summary>
    private Node SmallCount(int bound) => Chance(85) ? EdgeValues.I32(_random.Next(bound)) : Value(ValType.I32);

    private Node? BulkMemory()
    {
        if (_plan.Memories.Count == 0)
        {
            return null;
        }

        switch (_random.Next(4))
        {
            case 0:
                return Node.Statement(Opcode.MemoryFill, [0], Address(0, out _), Value(ValType.I32), SmallCount(RangeBound()));
            case 1:
                return Node.Statement(Opcode.MemoryCopy, [0, 0], Address(0, out _), Address(0, out _), SmallCount(RangeBound()));
            case 2 when _plan.Data.Count > 0:
                int segment = _random.Next(_plan.Data.Count);
                return Node.Statement(Opcode.MemoryInit, Index(segment, 0), Address(0, out _), SmallCount(8), SmallCount(_plan.Data[segment].Bytes.Length + 1));
            case 3 when _plan.Data.Count > 0 && Chance(20):
                return Node.Statement(Opcode.DataDrop, Index(_random.Next(_plan.Data.Count)));
            default:
                return null;
        }
    }

    // Most are short; some go over pages.
    private int RangeBound() => OneOf<int>([4, 32, 300, 5000, 5000, 70_000]);

    /// <summary>The index of an element: mostly inside of the table, and where a function is wanted mostly that function.</summary>
    private Node ElementIndex(int table, int? function = null)
    {
        if (function is int wanted && Chance(80))
        {
            foreach (ElementPlan segment in _plan.Elements)
            {
                int at = Array.IndexOf(segment.Functions, wanted);
                if (segment.Mode == SegmentMode.Active && segment.Table == table && at >= 0)
                {
                    return EdgeValues.I32(at);
                }
            }
        }

        int bound = Math.Max(_plan.Tables[table].Minimum, 1);
        return Chance(60)
            ? EdgeValues.I32(_random.Next(bound))
            : Chance(70) ? Node.Of(Opcode.I32RemU, ValType.I32, Value(ValType.I32), EdgeValues.I32(bound)) : Value(ValType.I32);
    }

    private int? TableOf(ValType type)
    {
        int[] found = [.. Enumerable.Range(0, _plan.Tables.Count).Where(table => _plan.Tables[table].ElementType == type)];
        return found.Length > 0 ? OneOf(found) : null;
    }

    private Node? TableGet(ValType type) => TableOf(type) is int table
        ? new Node { Opcode = Opcode.TableGet, Results = [type], Operands = [ElementIndex(table)], Immediates = Index(table) }
        : null;

    private Node? SetElement()
    {
        if (_plan.Tables.Count == 0)
        {
            return null;
        }

        int table = _random.Next(_plan.Tables.Count);
        return Node.Statement(Opcode.TableSet, Index(table), ElementIndex(table), Value(_plan.Tables[table].ElementType));
    }

    private Node? BulkTable()
    {
        if (_plan.Tables.Count == 0)
        {
            return null;
        }

        int table = _random.Next(_plan.Tables.Count);
        ValType type = _plan.Tables[table].ElementType;
        switch (_random.Next(4))
        {
            case 0:
                return Node.Statement(Opcode.TableFill, Index(table), ElementIndex(table), Value(type), SmallCount(4));
            case 1:
                return Node.Statement(Opcode.TableCopy, Index(table, TableOf(type)!.Value), ElementIndex(table), ElementIndex(table), SmallCount(4));
            case 2 when type == ValType.FuncRef && _plan.Elements.Count > 0:
                return Node.Statement(Opcode.TableInit, Index(_random.Next(_plan.Elements.Count), table), ElementIndex(table), SmallCount(3), SmallCount(4));
            case 3 when _plan.Elements.Count > 0 && Chance(20):
                return Node.Statement(Opcode.ElemDrop, Index(_random.Next(_plan.Elements.Count)));
            default:
                return null;
        }
    }
}
