using System.Collections.Concurrent;
using System.Globalization;
using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <content>Code that is made beside the program (<see cref="Optimiser"/>), and takes the place of what was compiled in a hurry.</content>
internal sealed unsafe partial class ModuleCompiler
{
    /// <summary>
    /// Bytes of a function's body from which it counts as large, in one piece and by pages: its code may be more than the JIT optimises. It is called through the table of functions, so that better code can take
    /// its place.
    /// </summary>
    private const int LargeBytes = 4000;
    private const int LargeBytesPaged = 2000;

    // Only the optimiser's thread defines types here, so emitting them does not keep the program waiting at the gate.
    private readonly ModuleBuilder _optimisedBuilder = NewBuilder();
    private readonly ConcurrentDictionary<int, MethodInfo> _optimised = new();
    private int _replacements;

    /// <summary>How often better code has taken the place of a function's.</summary>
    public int Replacements => Volatile.Read(ref _replacements);

    /// <summary>Whether a function is called through the table of functions, because better code may take its place.</summary>
    public bool IsReplaceable(int function) => IsHurried(function) || IsLarge(function);

    /// <summary>Whether a function is compiled in a hurry at first.</summary>
    public bool IsHurried(int function) => IsTiered && function >= Module.ImportedFunctionCount;

    /// <summary>Whether a function may be too large for the JIT, and is optimised in the background as soon as it is called.</summary>
    public bool IsLarge(int function)
    {
        if (function < Module.ImportedFunctionCount || IsTiered)
        {
            return false;
        }

        return Module.BodyOf(function).Bytes >= (Addressing == Addressing.Paged ? LargeBytesPaged : LargeBytes);
    }

    /// <summary>Has the JIT make the machine code of a function that may be called, unless it is a large one.</summary>
    /// <param name="chunk">Its chunk, which is loaded.</param>
    /// <param name="number">Its number there.</param>
    /// <returns>False if there is none of that number.</returns>
    public bool PrepareInChunk(int chunk, int number)
    {
        (int first, int end) = _layout.RangeOf(chunk);
        int function = first + number;
        if (function < end && !IsLarge(function) && !(IsTiered && Tiering.IsPassedOver(function)))
        {
            RuntimeHelpers.PrepareMethod(MethodOf(function).MethodHandle);
        }

        return function < end;
    }

    /// <summary>The functions that a function calls directly and that may be compiled ahead, in the order of its first calls of them.</summary>
    public int[] CalleesOf(int function)
    {
        FunctionBody body = Module.BodyOf(function);
        var reader = new InstructionReader(Module.Bytes.Span, body.Start, body.End);
        var callees = new List<int>();
        var known = new HashSet<int>();
        while (reader.Read(out Instruction instruction))
        {
            if (instruction.Opcode is Opcode.Call or Opcode.ReturnCall && IsHurried(instruction.Index) && !Tiering.IsPassedOver(instruction.Index) && known.Add(instruction.Index))
            {
                callees.Add(instruction.Index);
            }
        }

        return [.. callees];
    }

    /// <summary>Has the JIT make the machine code of a function, unless it has been called meanwhile.</summary>
    public void PrepareAhead(int function)
    {
        if (!Tiering.IsPassedOver(function))
        {
            RuntimeHelpers.PrepareMethod(MethodOf(function).MethodHandle);
        }
    }

    /// <summary>
    /// Compiles a function once more, and puts that in the place of its code. Where it is large, that is in a <see cref="Shell"/>, and takes seconds. On the optimiser's thread alone.
    /// </summary>
    /// <param name="function">The function.</param>
    /// <param name="form">Which form of it.</param>
    /// <param name="site">The site of a continuation; else -1.</param>
    public void Optimise(int function, CodeForm form, int site)
    {
        FunctionCode code = FunctionCode.Decode(Module, function);
        ContinuationPoint? point = form == CodeForm.Continuation ? ContinuationPoint.At(code, SitesOf(function)[site], IsTiered) : null;
        if ((form == CodeForm.Continuation && point is null) || !CanOptimise(code, point, out bool isInShell))
        {
            return;
        }

        MethodInfo method = EmitOptimised(code, form, site, point, isInShell);
        RuntimeHelpers.PrepareMethod(method.MethodHandle);
        Replace(function, form, site, method);
    }

    // Large functions that are not compiled in a hurry are asked for by their size. Of others, that of the first code is known.
    private bool CanOptimise(FunctionCode code, ContinuationPoint? point, out bool isInShell)
    {
        isInShell = true;
        if (!IsTiered)
        {
            return true;
        }

        long bytes = MethodOf(code.FunctionIndex).GetMethodBody()!.GetILAsByteArray()!.Length;
        bytes = point is null ? bytes : bytes * point.Instructions / code.Instructions.Length;
        isInShell = bytes > Shell.PlainBytesMax;
        return bytes <= Shell.BytesMax;
    }

    private MethodInfo EmitOptimised(FunctionCode code, CodeForm form, int site, ContinuationPoint? point, bool isInShell)
    {
        int function = code.FunctionIndex;
        string kind = form switch { CodeForm.Fast => "o", CodeForm.Twin => "p", _ => "q" };
        string name = string.Create(CultureInfo.InvariantCulture, $"{kind}{function}_{site}");
        var target = new CodeType(_optimisedBuilder, name, DirectTargetFrom(function));
        bool isFast = form == CodeForm.Fast;
        MethodBuilder method = target.DefineMethod(name, ReturnTypeOf(code.Type), isFast ? ParameterTypesOf(code.Type) : [typeof(nint)]);
        ILGenerator il = isInShell ? Shell.Around(target, method, isFast ? code.Type.Parameters.Length : 0, code) : method.GetILGenerator();
        if (point is not null)
        {
            FunctionEmitter.EmitContinuation(this, target, point, SitesOf(function), il, isHurried: false, isInShell);
        }
        else
        {
            FunctionEmitter.Emit(this, target, code, form, il, isHurried: false, isInShell);
        }

        MethodInfo made = target.Create().GetMethod(name)!;
        lock (_gate)
        {
            PutResolvers(target.Called);
        }

        return made;
    }

    private void Replace(int function, CodeForm form, int site, MethodInfo method)
    {
        nint entry = method.MethodHandle.GetFunctionPointer();
        if (form == CodeForm.Fast)
        {
            _optimised[function] = method;
            Volatile.Write(ref _functions[function].Code, entry);
            Interlocked.Increment(ref _replacements);
            Tiering.SetReady(function, -1);
            return;
        }

        lock (_gate)
        {
            if (form == CodeForm.Continuation)
            {
                _continuations[(function, site)] = entry;
                Tiering.SetReady(function, site);
                return;
            }

            foreach ((int Function, int Site) place in _continuations.Where(known => known.Value == _twins[function]).Select(known => known.Key).ToArray())
            {
                _continuations[place] = entry;
            }

            _twins[function] = entry;
        }
    }

    // How code outside of the chunks reaches a function: where it is, if that is known and remains so.
    private Func<int, MethodInfo?> DirectTargetFrom(int function)
    {
        int own = _layout.ChunkOf(function);
        return called => IsReplaceable(called) ? (IsTiered ? _optimised.GetValueOrDefault(called) : null) : _layout.ChunkOf(called) == own ? MethodOf(called) : null;
    }

    private void OptimiseLater(int function, CodeForm form, int site, int bytes)
    {
        if (bytes is > Shell.PlainBytesMax and <= Shell.BytesMax)
        {
            Optimiser.Add(this, function, form, site);
        }
    }
}
