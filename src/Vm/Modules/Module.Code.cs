using Everheap.Vm.Caching;
using Everheap.Vm.Compilation;

namespace Everheap.Vm.Modules;

/// <content>Compiled code, which belongs to the module: its instances share it.</content>
public sealed partial class Module
{
    /// <summary>What a cache keeps of the module; null where there is none.</summary>
    internal CachedModule? Cached { get; private set; }

    /// <summary>Bytes of all bodies together.</summary>
    internal long CodeBytes => Bodies.Sum(static body => (long)body.Bytes);

    private readonly Lock _codeGate = new();
    private readonly Dictionary<CodeOptions, SharedCode> _code = [];

    /// <summary>The module's code. Any thread.</summary>
    /// <param name="options">Which code.</param>
    /// <returns>The code, which the module keeps; to be given back with <see cref="ReleaseCode"/>.</returns>
    internal ModuleCompiler AcquireCode(CodeOptions options)
    {
        lock (_codeGate)
        {
            if (!_code.TryGetValue(options, out SharedCode? code))
            {
                code = new SharedCode(new ModuleCompiler(this, options));
                _code.Add(options, code);
            }

            code.Users++;
            return code.Compiler;
        }
    }

    /// <summary>Gives code back that an instance does not run any more. Any thread.</summary>
    /// <param name="compiler">The code.</param>
    /// <param name="isOutgrown">Whether it has become of no use for the instance's program: it goes, if no other instance runs it. Else the next instance will use it.</param>
    internal void ReleaseCode(ModuleCompiler compiler, bool isOutgrown)
    {
        compiler.Tiering.Save();
        lock (_codeGate)
        {
            SharedCode code = _code[compiler.Options];
            code.Users--;
            if (isOutgrown && code.Users == 0)
            {
                _code.Remove(compiler.Options);
            }
        }
    }

    private sealed class SharedCode(ModuleCompiler compiler)
    {
        public ModuleCompiler Compiler { get; } = compiler;

        /// <summary>Instances that run it.</summary>
        public int Users { get; set; }
    }
}
