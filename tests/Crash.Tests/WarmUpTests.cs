using Everheap.Cli;

namespace Everheap.Crash.Tests;

/// <summary>What the command has the runtime load beside the reading of a large module changes nothing that is seen.</summary>
[TestFixture]
internal sealed class WarmUpTests
{
    private const int PaddingBytes = 5 << 20;

    [Test]
    public void The_small_program_can_be_made() => Assert.That(WarmUp.MakeSmallProgram, Throws.Nothing);

    [Test]
    public void A_large_module_runs_as_a_small_one_does()
    {
        using var scratch = new ScratchFolder();
        GuestCase hello = GuestCase.Sample("hello", "small");
        using (FileStream module = File.Create(scratch["large.wasm"]))
        {
            module.Write(File.ReadAllBytes(hello.ModulePath));
            module.Write(WasmBytes.CustomSection(PaddingBytes));
        }

        using EverheapProcess process = EverheapProcess.Start(
            scratch.Path,
            ["run", "large.wasm", .. hello.Environment.SelectMany(item => (string[])["--env", item]), "--", .. hello.Arguments],
            hello.StandardInputPath);
        CommandResult result = process.WaitForEnd();
        Assert.That(result.ExitCode, Is.EqualTo(hello.ExitCode).And.Not.Zero, result.Error);
        Assert.That(process.PipedOutput(), Is.EqualTo(hello.ExpectedOutput));
    }
}
