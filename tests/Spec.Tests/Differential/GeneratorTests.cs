using Everheap.Vm.Modules;
using Wasmtime;

namespace Everheap.Spec.Tests.Differential;

/// <summary>What the generator makes: valid modules, of all features and instructions, that leave nothing to a machine's choice.</summary>
[TestFixture]
internal sealed class GeneratorTests
{
    private const int ModulesToValidate = 400;
    private const int ModulesToRun = 60;

    // Two machines may differ in these (relaxed vectors), no other thread is there to wake a waiting one, or WebAssembly 3.0 does not have them (older exceptions).
    private static readonly Opcode[] NotMade =
    [
        Opcode.Try, Opcode.Catch, Opcode.Rethrow, Opcode.Delegate, Opcode.CatchAll, Opcode.MemoryAtomicWait32, Opcode.MemoryAtomicWait64,
        .. Enum.GetValues<Opcode>().Where(opcode => opcode >= Opcode.I8x16RelaxedSwizzle && opcode <= Opcode.I32x4RelaxedDotI8x16I7x16AddS),
    ];

    // Garbage-collected types do not run yet.
    private static bool IsOfObjects(Opcode opcode) => opcode == Opcode.RefEq || (opcode >= Opcode.StructNew && opcode <= Opcode.I31GetU);

    [Test]
    public void Generated_modules_are_valid_and_have_all_instructions_among_them()
    {
        using var witness = new WasmtimeMachine();
        var made = new HashSet<Opcode> { Opcode.End, Opcode.Else };
        for (int seed = 1; seed <= ModulesToValidate; seed++)
        {
            ModulePlan plan = ModuleGenerator.Generate(seed, Features.All);
            Assert.That(witness.WhyInvalid(ModuleWriter.Write(plan)), Is.Null, () => $"seed {seed}\n{PlanText.Of(plan)}");
            foreach (FunctionPlan function in plan.Functions)
            {
                Note(function.Root, made);
            }
        }

        Assert.That(Enum.GetValues<Opcode>().Where(opcode => !IsOfObjects(opcode)).Except(NotMade).Except(made), Is.Empty);
        Assert.That(NotMade.Intersect(made), Is.Empty);
    }

    [Test]
    public void What_generated_modules_show_does_not_depend_on_how_they_are_compiled()
    {
        using var optimised = new WasmtimeMachine();
        using var plain = new WasmtimeMachine(OptimizationLevel.None);
        for (int seed = 1; seed <= ModulesToRun; seed++)
        {
            ModulePlan plan = ModuleGenerator.Generate(seed, Features.All);
            byte[] bytes = ModuleWriter.Write(plan);
            Assert.That(optimised.Run(plan, bytes).DifferenceFrom(plain.Run(plan, bytes)), Is.Null, () => $"seed {seed}\n{PlanText.Of(plan)}");
        }
    }

    private static void Note(Node node, HashSet<Opcode> made)
    {
        if (node.Opcode is Opcode opcode)
        {
            made.Add(opcode);
        }

        foreach (Node part in node.Operands.Concat(node.Bodies.SelectMany(body => body)))
        {
            Note(part, made);
        }
    }
}
