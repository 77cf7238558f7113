using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests.Differential;

/// <content>Exceptions, and calls in place of a return.</content>
internal sealed partial class FunctionGenerator
{
    /// <summary>
    /// A try_table around a body, in a block that takes what its first clause catches, in a block for the results:
    /// <c>block R (block H (try_table R (catch ... H) ...) (br R)) (what becomes of the caught values) end</c>.
    /// </summary>
    private Node? TryCatch(ValType[] results)
    {
        if (!Has(Features.Exceptions))
        {
            return null;
        }

        int tag = _random.Next(_plan.Tags.Count);
        CatchKind kind = OneOf<CatchKind>([CatchKind.Catch, CatchKind.Catch, CatchKind.CatchRef, CatchKind.CatchAll, CatchKind.CatchAllRef]);
        ValType[] caught =
        [
            .. kind is CatchKind.Catch or CatchKind.CatchRef ? _plan.Tags[tag] : [],
            .. kind is CatchKind.CatchRef or CatchKind.CatchAllRef ? [ValType.ExnRef] : (ValType[])[],
        ];
        var outer = new Node { Opcode = Opcode.Block, Results = results, Bodies = [[]] };
        var handler = new Node { Opcode = Opcode.Block, Results = caught, Bodies = [[]] };
        _labels.Add(outer);
        _labels.Add(handler);
        var clauses = new List<CatchPlan> { new(kind, tag, handler) };
        if (Chance(40) && _labels.FindLast(label => label.LabelTypes.Length == 0) is Node other)
        {
            clauses.Insert(_random.Next(2), new CatchPlan(CatchKind.CatchAll, 0, other));
        }

        if (Chance(30) && _labels.FindLast(label => label.LabelTypes.AsSpan().SequenceEqual(_plan.Tags[^1])) is Node another)
        {
            clauses.Insert(0, new CatchPlan(CatchKind.Catch, _plan.Tags.Count - 1, another));
        }

        var attempt = new Node { Opcode = Opcode.TryTable, Results = results, Bodies = [[]], Catches = [.. clauses] };
        _labels.Add(attempt);
        FillBody(attempt, attempt.Bodies[0]);
        _labels.RemoveAt(_labels.Count - 1);
        handler.Bodies[0].Add(new Node { Opcode = Opcode.Br, Results = caught, Operands = [attempt], Targets = [outer] });
        _labels.RemoveAt(_labels.Count - 1);
        outer.Bodies[0].Add(DropAll(handler));
        AddSequence(outer.Bodies[0], results, statementPercent: 20);
        _labels.RemoveAt(_labels.Count - 1);
        return outer;
    }

    /// <summary>Throws, mostly on a condition only.</summary>
    private Node? Throw()
    {
        if (!Has(Features.Exceptions))
        {
            return null;
        }

        int tag = _random.Next(_plan.Tags.Count);
        Node thrown = Chance(20)
            ? new Node { Opcode = Opcode.ThrowRef, Operands = [Value(ValType.ExnRef)] }
            : new Node { Opcode = Opcode.Throw, Operands = Sequence(_plan.Tags[tag]), Immediates = Index(tag) };
        return Chance(60) ? new Node { Opcode = Opcode.If, Operands = [Value(ValType.I32)], Bodies = [[thrown]] } : thrown;
    }

    /// <summary>A call in place of a return.</summary>
    private Node? TailCall(ValType[] results)
    {
        if (!Has(Features.TailCalls) || CallGiving(_function.Root.Results) is not Node call)
        {
            return null;
        }

        Opcode? opcode = call.Opcode switch
        {
            Opcode.Call => Opcode.ReturnCall,
            Opcode.CallIndirect => Opcode.ReturnCallIndirect,
            Opcode.CallRef => Opcode.ReturnCallRef,
            _ => null,
        };
        return opcode is null ? null : new Node { Opcode = opcode, Results = results, Operands = call.Operands, Immediates = call.Immediates };
    }
}
