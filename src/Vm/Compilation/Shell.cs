using System.Reflection;
using System.Reflection.Emit;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>
/// A tiny method that does nothing but call a function's body, into which the JIT takes the body. Of a method that is too large (60,000 bytes of IL, 20,000 instructions, 2,000 blocks, 8,000
/// references to locals) the JIT makes slow code quickly; but it looks at the method that it compiles, and not at what it takes into it. So an interpreter's loop, or SQLite's, is optimised all the same.
/// It takes seconds: that is done in the background (<see cref="Optimiser"/>), and the code that was made quickly serves until then.
/// </summary>
internal static class Shell
{
    /// <summary>Bytes of IL above which a method may be too large for the JIT. By references to locals, which count first, that is so from about 30,000 bytes on.</summary>
    public const int PlainBytesMax = 28_000;

    /// <summary>Bytes of IL above which optimising takes longer than it is worth: the JIT's time grows faster than the method.</summary>
    public const int BytesMax = 300_000;

    /// <summary>Locals that are parameters of the body, the context not counted: the JIT takes in a method of 32 parameters and 32 locals at most.</summary>
    public const int ParametersMax = 31;

    /// <summary>Adds a function's body, and the shell around it.</summary>
    /// <param name="target">The type that they become part of.</param>
    /// <param name="shell">The shell: a method whose parameters are the context, and all or none of the function's.</param>
    /// <param name="parameters">How many parameters of the function the shell has.</param>
    /// <param name="code">The function.</param>
    /// <returns>The body's generator. Its locals up to <see cref="ParametersMax"/> are parameters.</returns>
    public static ILGenerator Around(CodeType target, MethodBuilder shell, int parameters, FunctionCode code)
    {
        ValType[] locals = [.. code.Locals.Take(ParametersMax)];
        MethodBuilder body = target.DefinePlainMethod(
            "b" + shell.Name, ModuleCompiler.ReturnTypeOf(code.Type), [typeof(nint), .. locals.Select(FunctionEmitter.IlType)]);
        body.SetImplementationFlags(MethodImplAttributes.IL | MethodImplAttributes.AggressiveInlining);
        ILGenerator il = shell.GetILGenerator();
        for (int argument = 0; argument <= parameters; argument++)
        {
            il.Emit(OpCodes.Ldarg, (short)argument);
        }

        for (int local = parameters; local < locals.Length; local++)
        {
            FunctionEmitter.EmitZero(il, locals[local]);
        }

        il.Emit(OpCodes.Call, body);
        il.Emit(OpCodes.Ret);
        return body.GetILGenerator();
    }
}
