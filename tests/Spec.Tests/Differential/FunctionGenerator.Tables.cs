using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests.Differential;

/// <content>Tables.</content>
internal sealed partial class FunctionGenerator
{
    private Node? CountElements(ValType type)
    {
        int[] found = [.. Enumerable.Range(0, _plan.Tables.Count).Where(candidate => _plan.Tables[candidate].IndexType == type)];
        if (found.Length == 0)
        {
            return null;
        }

        int table = OneOf(found);
        return Chance(40)
            ? new Node { Opcode = Opcode.TableSize, Results = [type], Immediates = Index(table) }
            : new Node { Opcode = Opcode.TableGrow, Results = [type], Operands = [Value(_plan.Tables[table].ElementType), SmallCount(4, type)], Immediates = Index(table) };
    }

    /// <summary>The index of an element: mostly inside of the table, and where a function is wanted mostly that function.</summary>
    private Node ElementIndex(int table, int? function = null)
    {
        TablePlan plan = _plan.Tables[table];
        if (function is int wanted && Chance(80))
        {
            foreach (ElementPlan segment in _plan.Elements)
            {
                int at = Array.IndexOf(segment.Functions, wanted);
                if (segment.Mode == SegmentMode.Active && segment.Table == table && at >= 0)
                {
                    return Number(plan.Is64, at);
                }
            }
        }

        int bound = Math.Max(plan.Minimum, 1);
        return Chance(65)
            ? Number(plan.Is64, _random.Next(bound))
            : Chance(80) ? Node.Of(plan.Is64 ? Opcode.I64RemU : Opcode.I32RemU, plan.IndexType, Value(plan.IndexType), Number(plan.Is64, bound)) : Value(plan.IndexType);
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
        TablePlan plan = _plan.Tables[table];
        switch (_random.Next(4))
        {
            case 0:
                return Node.Statement(Opcode.TableFill, Index(table), ElementIndex(table), Value(plan.ElementType), SmallCount(4, plan.IndexType));
            case 1:
                int source = TableOf(plan.ElementType)!.Value;
                ValType lengthType = plan.Is64 && _plan.Tables[source].Is64 ? ValType.I64 : ValType.I32;
                return Node.Statement(Opcode.TableCopy, Index(table, source), ElementIndex(table), ElementIndex(source), SmallCount(4, lengthType));
            case 2 when plan.ElementType == ValType.FuncRef && _plan.Elements.Count > 0:
                return Node.Statement(Opcode.TableInit, Index(_random.Next(_plan.Elements.Count), table), ElementIndex(table), SmallCount(3), SmallCount(4));
            case 3 when _plan.Elements.Count > 0 && Chance(20):
                return Node.Statement(Opcode.ElemDrop, Index(_random.Next(_plan.Elements.Count)));
            default:
                return null;
        }
    }
}
