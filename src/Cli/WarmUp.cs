using System.Reflection;
using System.Reflection.Emit;
using System.Security.Cryptography;
using Everheap.Vm;

namespace Everheap.Cli;

/// <summary>Has the runtime load, on another processor and beside the reading of the command line, what every program that is started needs and what takes long at its first use.</summary>
internal static class WarmUp
{
    /// <summary>Begins. Nothing waits for it.</summary>
    /// <param name="args">The command line.</param>
    public static void Begin(string[] args)
    {
        if (Environment.ProcessorCount == 1)
        {
            return;
        }

        Task.Run(LoadEmitter);
        if (!args.Contains(CodeCache.Off) && Environment.GetEnvironmentVariable(CodeCache.Variable) != CodeCache.Off)
        {
            Task.Run(LoadCryptography);
        }
    }

    // The system's library, without which only a program can be run that uses no cache: the key of a module in the cache is a hash.
    private static void LoadCryptography() => SHA256.HashData([]);

    private static void LoadEmitter()
    {
        AssemblyBuilder assembly = AssemblyBuilder.DefineDynamicAssembly(new AssemblyName(nameof(WarmUp)), AssemblyBuilderAccess.RunAndCollect);
        TypeBuilder type = assembly.DefineDynamicModule(nameof(WarmUp)).DefineType(nameof(WarmUp));
        MethodBuilder method = type.DefineMethod(nameof(LoadEmitter), MethodAttributes.Public | MethodAttributes.Static, typeof(void), []);
        method.GetILGenerator().Emit(OpCodes.Ret);
        type.CreateType().GetMethod(nameof(LoadEmitter))!.MethodHandle.GetFunctionPointer();
    }
}
