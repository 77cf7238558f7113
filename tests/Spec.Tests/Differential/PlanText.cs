using System.Globalization;
using System.Text;
using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests.Differential;

/// <summary>Writes a module's functions for people to read: much like the text format, immediates in hexadecimal bytes.</summary>
internal static class PlanText
{
    /// <summary>The functions that have more than constants in them, the calls, and what the module declares.</summary>
    public static string Of(ModulePlan plan)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"calls: {string.Join(", ", plan.Calls)}; memories: {string.Join(", ", plan.Memories)}; tables: {string.Join(", ", plan.Tables)}");
        foreach (FunctionPlan function in plan.Functions.Where(function => function.Root.Bodies[0].Any(node => node.Operands.Count > 0 || node.Bodies.Count > 0 || node.Results.Length == 0)))
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"function {function.Index} {function.ExportName} {function.Type}, locals {string.Join(' ', function.Locals.Select(ValTypes.NameOf))}");
            foreach (Node node in function.Root.Bodies[0])
            {
                Append(text, node, 1, [function.Root]);
            }
        }

        return text.ToString();
    }

    private static void Append(StringBuilder text, Node node, int depth, List<Node> labels)
    {
        foreach (Node operand in node.Operands)
        {
            Append(text, operand, depth, labels);
        }

        text.Append(' ', depth * 2).Append(node.Opcode is Opcode opcode ? OpcodeNames.NameOf(opcode) : "; arguments");
        if (node.Immediates.Length > 0)
        {
            text.Append(' ').Append(Convert.ToHexString(node.Immediates));
        }

        foreach (Node target in node.Targets)
        {
            text.Append(CultureInfo.InvariantCulture, $" {labels.Count - 1 - labels.LastIndexOf(target)}");
        }

        if (node.Bodies.Count > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $" {new FunctionType(node.Parameters, node.Results)}");
        }

        text.AppendLine();
        labels.Add(node);
        for (int index = 0; index < node.Bodies.Count; index++)
        {
            if (index > 0)
            {
                text.Append(' ', depth * 2).AppendLine("else");
            }

            foreach (Node part in node.Bodies[index])
            {
                Append(text, part, depth + 1, labels);
            }
        }

        labels.RemoveAt(labels.Count - 1);
        if (node.Bodies.Count > 0)
        {
            text.Append(' ', depth * 2).AppendLine("end");
        }
    }
}
