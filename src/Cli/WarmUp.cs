using System.Reflection;
using System.Reflection.Emit;
using System.Security.Cryptography;
using Everheap.Engine;
using Everheap.Vm;
using Module = Everheap.Vm.Modules.Module;

namespace Everheap.Cli;

/// <summary>Has the runtime load, on another processor and beside the reading of the command line, what every program that is started needs and what takes long at its first use.</summary>
internal static class WarmUp
{
    /// <summary>Bytes of a module from which reading it takes so long that a small program can be made meanwhile.</summary>
    private const long LargeModuleBytes = 4 << 20;

    /// <summary>A module with something of all that usual ones have.</summary>
    private static ReadOnlyMemory<byte> SmallModule { get; } = Convert.FromHexString(
        "0061736D01000000" // (module
        + "010C0260000060047F7F7F7F017F" // (type (func)) (type (func (param i32 i32 i32 i32) (result i32)))
        + "02230116776173695F736E617073686F745F70726576696577310866645F77726974650001" // (import "wasi_snapshot_preview1" "fd_write" (func (type 1)))
        + "03020100040401700001" // (func (type 0) ...) (table 1 funcref)
        + "0503010001071302066D656D6F72790200065F73746172740001" // (memory 1) (export "memory" (memory 0)) (export "_start" (func 1))
        + "0907010041000B0101" // (elem (i32.const 0) 1)
        + "0A0A01080041002802001A0B" // ... i32.const 0, i32.load, drop
        + "0B07010041000B012E"); // (data (i32.const 0) "."))

    private static bool HasSecondProcessor => Environment.ProcessorCount > 1;

    /// <summary>Begins. Nothing waits for it.</summary>
    /// <param name="args">The command line.</param>
    public static void Begin(string[] args)
    {
        if (!HasSecondProcessor)
        {
            return;
        }

        Task.Run(LoadEmitter);
        if (!args.Contains(CodeCache.Off) && Environment.GetEnvironmentVariable(CodeCache.Variable) != CodeCache.Off)
        {
            Task.Run(LoadCryptography);
        }
    }

    /// <summary>Before a module is read: a large one takes long enough for all that making a program takes to be loaded meanwhile, by making one.</summary>
    /// <param name="modulePath">The module.</param>
    public static void BeginReading(string modulePath)
    {
        if (HasSecondProcessor && new FileInfo(modulePath).Length >= LargeModuleBytes)
        {
            Task.Run(MakeSmallProgram);
        }
    }

    internal static void MakeSmallProgram()
    {
        using HeapStore store = HeapStore.Create(new MemoryMedium(), new HeapStoreOptions { ResidentBytes = HeapStoreOptions.ResidentBytesMin });
        var options = new ProcessOptions { ResidentBytes = HeapStoreOptions.ResidentBytesMin, StandardInput = Stream.Null, StandardOutput = Stream.Null, StandardError = Stream.Null };
        using Process process = Process.Create(Module.Decode(SmallModule), store, options);
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
