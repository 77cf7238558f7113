using Everheap.Vm.Modules;

namespace Everheap.Spec.Tests;

/// <summary>The valid modules of the official suite, as seeds for damage.</summary>
internal static class SuiteModules
{
    /// <summary>All valid modules of a size.</summary>
    /// <param name="bytesMax">The largest that are taken.</param>
    /// <param name="isLegacyIncluded">Whether those with the exceptions from before WebAssembly 3.0 are taken.</param>
    public static List<byte[]> OfAtMost(int bytesMax, bool isLegacyIncluded)
    {
        var modules = new List<byte[]>();
        foreach (string name in SuiteFolder.ScriptNames.Where(name => isLegacyIncluded || !name.StartsWith("legacy", StringComparison.Ordinal)))
        {
            string script = File.ReadAllText(Path.Combine(SuiteFolder.Path!, name + ".wast"));
            foreach (SExpression command in SExpression.ReadAll(script).Where(command => command.Head == "module" && command.Items is not [_, { Atom: "instance" }, ..]))
            {
                try
                {
                    byte[] binary = ModuleSource.Of(script, command).ToBinary();
                    Module.Decode(binary);
                    if (binary.Length <= bytesMax)
                    {
                        modules.Add(binary);
                    }
                }
                catch (Exception e) when (e is Wasmtime.WasmtimeException or WasmFormatException)
                {
                    // Its text is not for converters.
                }
            }
        }

        return modules;
    }
}
