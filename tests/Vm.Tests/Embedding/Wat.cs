using Everheap.Vm.Modules;

namespace Everheap.Vm.Tests.Embedding;

/// <summary>Modules in the text format.</summary>
internal static class Wat
{
    /// <summary>Converts a module; where the converter does not load, the test is skipped.</summary>
    public static Module Module(string text)
    {
        try
        {
            return Vm.Modules.Module.Decode(Wasmtime.Module.ConvertText(text));
        }
        catch (Exception e) when (e is DllNotFoundException or TypeInitializationException or BadImageFormatException)
        {
            Assert.Ignore($"The converter of text modules, Wasmtime's native library, does not load on this machine: {e.Message}");
            throw;
        }
    }
}
