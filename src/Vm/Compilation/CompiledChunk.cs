using System.Globalization;
using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.Loader;
using Everheap.Vm.Execution;

namespace Everheap.Vm.Compilation;

/// <summary>A chunk's code, as an assembly: its image, and what is needed to use it.</summary>
/// <param name="Image">The assembly.</param>
/// <param name="Called">The functions of other chunks that it calls.</param>
internal sealed record ChunkImage(byte[] Image, int[] Called);

/// <summary>A chunk that is loaded.</summary>
internal sealed unsafe class CompiledChunk
{
    private const string TypeName = "Code";
    private const string FillName = "Fill";
    private const int FirstMethodToken = 0x0600_0001;

    private readonly Assembly _assembly;
    private readonly int _first;

    private CompiledChunk(Assembly assembly, int first)
    {
        _assembly = assembly;
        _first = first;
    }

    /// <summary>Compiles a chunk.</summary>
    /// <param name="compiler">The module's compiler.</param>
    /// <param name="first">Its first function.</param>
    /// <param name="end">The function behind its last.</param>
    /// <param name="emit">Emits a function.</param>
    public static ChunkImage Emit(ModuleCompiler compiler, int first, int end, Action<CodeType, ILGenerator, int> emit)
    {
        var assembly = new PersistedAssemblyBuilder(
            new AssemblyName(string.Create(CultureInfo.InvariantCulture, $"Everheap.Compiled.{first}")), typeof(object).Assembly);
        var methods = new MethodBuilder[end - first];
        var target = new CodeType(
            CodeType.BeginAssembly(assembly), TypeName, function => function >= first && function < end && !compiler.IsReplaceable(function) ? methods[function - first] : null);

        // In this order, so that a method's number in the assembly follows from the function's.
        for (int function = first; function < end; function++)
        {
            Modules.FunctionType type = compiler.Module.FunctionTypeOf(function);
            methods[function - first] = target.DefineMethod(
                ModuleCompiler.NameOf(function), ModuleCompiler.ReturnTypeOf(type), ModuleCompiler.ParameterTypesOf(type), compiler.IsHurried(function));
        }

        for (int function = first; function < end; function++)
        {
            emit(target, methods[function - first].GetILGenerator(), function);
        }

        EmitFill(target, methods, index => !compiler.IsLarge(first + index));
        target.Create();
        using var image = new MemoryStream();
        assembly.Save(image);
        return new ChunkImage(image.ToArray(), [.. target.Called.Order()]);
    }

    /// <summary>Loads a chunk, and enters its functions into the table of functions.</summary>
    /// <param name="image">The chunk.</param>
    /// <param name="first">Its first function.</param>
    /// <param name="functions">The table of functions.</param>
    /// <param name="context">Where to load it.</param>
    public static CompiledChunk Load(ChunkImage image, int first, TableEntry* functions, AssemblyLoadContext context)
    {
        using var stream = new MemoryStream(image.Image, writable: false);
        Assembly assembly = context.LoadFromStream(stream);
        MethodInfo fill = assembly.GetType(TypeName, throwOnError: true)!.GetMethod(FillName)!;
        ((delegate*<TableEntry*, void>)fill.MethodHandle.GetFunctionPointer())(functions + first);
        return new CompiledChunk(assembly, first);
    }

    /// <summary>The method of one of its functions.</summary>
    public MethodInfo MethodOf(int function) => (MethodInfo)_assembly.ManifestModule.ResolveMethod(FirstMethodToken + (function - _first))!;

    // Enters the addresses of all functions but large ones into the table: a way to them without an object for each.
    private static void EmitFill(CodeType target, MethodBuilder[] methods, Predicate<int> isEntered)
    {
        ILGenerator il = target.DefinePlainMethod(FillName, typeof(void), [typeof(nint)]).GetILGenerator();
        for (int index = 0; index < methods.Length; index++)
        {
            if (!isEntered(index))
            {
                continue;
            }

            il.Emit(OpCodes.Ldarg_0);
            il.Emit(OpCodes.Ldc_I4, index * sizeof(TableEntry));
            il.Emit(OpCodes.Add);
            il.Emit(OpCodes.Ldftn, methods[index]);
            il.Emit(OpCodes.Stind_I);
        }

        il.Emit(OpCodes.Ret);
    }
}
