using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests.Differential;

/// <summary>
/// Makes a module smaller as long as something about it stays: takes out calls, whole bodies, statements, puts constants or parts of theirs in the place of
/// instructions. What it makes may be no valid module now and then; whoever is asked about it has to say no to those.
/// </summary>
internal sealed class Shrinker
{
    private readonly ModulePlan _plan;
    private readonly Func<ModulePlan, bool> _isSo;
    private readonly long _deadline;
    private bool _hasChanged;

    private Shrinker(ModulePlan plan, Func<ModulePlan, bool> isSo, TimeSpan timeMax)
    {
        _plan = plan;
        _isSo = isSo;
        _deadline = Environment.TickCount64 + (long)timeMax.TotalMilliseconds;
    }

    /// <summary>Shrinks a module in place.</summary>
    /// <param name="plan">The module.</param>
    /// <param name="isSo">Whether what is looked for is still so.</param>
    /// <param name="timeMax">When to be content with what there is.</param>
    public static void Shrink(ModulePlan plan, Func<ModulePlan, bool> isSo, TimeSpan timeMax)
    {
        var shrinker = new Shrinker(plan, isSo, timeMax);
        do
        {
            shrinker._hasChanged = false;
            shrinker.Pass();
        }
        while (shrinker._hasChanged && !shrinker.IsLate);
    }

    private bool IsLate => Environment.TickCount64 > _deadline;

    private void Pass()
    {
        for (int index = _plan.Calls.Count - 1; index >= 0; index--)
        {
            RemoveAt(_plan.Calls, index);
        }

        if (_plan.Start is int start)
        {
            _plan.Start = null;
            if (!Keeps())
            {
                _plan.Start = start;
            }
        }

        foreach (FunctionPlan function in _plan.Functions)
        {
            TryReplaceAll(function.Root.Bodies[0], [.. function.Root.Results.Select(EdgeValues.Default)]);
        }

        foreach (FunctionPlan function in _plan.Functions)
        {
            ShrinkList(function.Root.Bodies[0]);
        }
    }

    private void ShrinkList(List<Node> nodes)
    {
        for (int index = nodes.Count - 1; index >= 0 && !IsLate; index--)
        {
            if (index < nodes.Count && !nodes[index].IsFixed)
            {
                ShrinkAt(nodes, index);
            }
        }
    }

    private void ShrinkAt(List<Node> nodes, int index)
    {
        Node node = nodes[index];
        if (IsDefaults(node) || (node.Opcode is not null && TryReplace(nodes, index, [.. node.Results.Select(EdgeValues.Default)])))
        {
            return;
        }

        foreach (Node part in node.Operands.Concat(node.Bodies.SelectMany(body => body)).Where(part => part.Results.AsSpan().SequenceEqual(node.Results)))
        {
            if (TryReplace(nodes, index, [part]))
            {
                ShrinkAt(nodes, index);
                return;
            }
        }

        if (node.Bodies.Count > 0 && node.Parameters.Length == 0)
        {
            foreach (List<Node> body in node.Bodies)
            {
                if (TryReplace(nodes, index, [.. body]))
                {
                    return;
                }
            }
        }

        ShrinkList(node.Operands);
        foreach (List<Node> body in node.Bodies)
        {
            ShrinkList(body);
        }
    }

    private static bool IsDefaults(Node node) =>
        node.Opcode is Opcode.I32Const or Opcode.I64Const or Opcode.F32Const or Opcode.F64Const or Opcode.RefNull or Opcode.V128Const or Opcode.LocalGet && node.Operands.Count == 0;

    private bool TryReplace(List<Node> nodes, int index, List<Node> replacement)
    {
        Node node = nodes[index];
        nodes.RemoveAt(index);
        nodes.InsertRange(index, replacement);
        if (Keeps())
        {
            return true;
        }

        nodes.RemoveRange(index, replacement.Count);
        nodes.Insert(index, node);
        return false;
    }

    private void TryReplaceAll(List<Node> nodes, List<Node> replacement)
    {
        if (nodes.Count <= replacement.Count)
        {
            return;
        }

        Node[] before = [.. nodes];
        nodes.Clear();
        nodes.AddRange(replacement);
        if (!Keeps())
        {
            nodes.Clear();
            nodes.AddRange(before);
        }
    }

    private void RemoveAt(List<string> list, int index)
    {
        string item = list[index];
        list.RemoveAt(index);
        if (!Keeps())
        {
            list.Insert(index, item);
        }
    }

    private bool Keeps()
    {
        bool keeps = !IsLate && _isSo(_plan);
        _hasChanged |= keeps;
        return keeps;
    }
}
