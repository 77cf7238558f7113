using System.Text;
using System.Text.Json;

namespace Everheap.Crash.Tests;

/// <summary><c>everheap inspect</c>, on modules made by hand.</summary>
[TestFixture]
internal sealed class InspectCommandTests
{
    private ScratchFolder _scratch = null!;

    [SetUp]
    public void MakeFolder() => _scratch = new ScratchFolder();

    [TearDown]
    public void RemoveFolder() => _scratch.Dispose();

    [Test]
    public void A_program_is_shown_with_its_sections_and_can_be_run()
    {
        File.WriteAllBytes(_scratch["spin.wasm"], WasmBytes.Spinning());

        CommandResult result = Run("inspect", "spin.wasm");

        Assert.That(result.ExitCode, Is.Zero);
        Assert.That(result.Error, Is.Empty);
        Assert.That(result.Output, Does.StartWith($"spin.wasm: a WebAssembly module of {WasmBytes.Spinning().Length} B\neverheap run can run it\n"));
        Assert.That(result.Output, Does.Contain("\nsections: 6\n      offset      bytes  name\n         0xa          4  type\n"));
        Assert.That(result.Output, Does.Contain("  name (custom)\n"));
        Assert.That(result.Output, Does.Contain("\ntypes 1, functions 2, of which 0 imported\n"));
        Assert.That(result.Output, Does.Contain("\nmemories: 1\n  0  1 page (64 KiB) at least\n"));
        Assert.That(result.Output, Does.Contain("\nexports: 2\n  _start: function 0, () -> ()\n  memory: memory 0, 1 page (64 KiB) at least\n"));
    }

    [Test]
    public void What_a_library_with_objects_lacks_is_said()
    {
        File.WriteAllBytes(_scratch["library.wasm"], Library());

        CommandResult result = Run("inspect", "library.wasm");

        Assert.That(result.ExitCode, Is.Zero);
        Assert.That(result.Output, Does.Contain("\neverheap run cannot run it:\n"));
        Assert.That(result.Output, Does.Contain("\n  - the module uses structures, arrays, i31, casts or recursive types (garbage-collected types), first at byte 0xb"));
        Assert.That(result.Output, Does.Contain("\n  - the module exports no function _start"));
        Assert.That(result.Output, Does.Contain("\n  - the module imports function env.f"));
        Assert.That(result.Output, Does.Contain("\nfeatures beyond WebAssembly 2.0: 1\n  gc\n"));
        Assert.That(result.Output, Does.Contain("\nWASI functions: 1\n  sched_yield\n"));
        Assert.That(result.Output, Does.Contain("\nimports: 2\n  env.f: function () -> ()\n  wasi_snapshot_preview1.sched_yield: function () -> (i32)\n"));
        Assert.That(result.Output, Does.Contain("\nproducers: 1\n  language: C11, Rust 1.90\n"));
        Assert.That(result.Output, Does.Contain("\ntarget features: 1\n  +simd128\n"));
    }

    [Test]
    public void Everything_is_there_as_JSON()
    {
        File.WriteAllBytes(_scratch["library.wasm"], Library());

        CommandResult result = Run("inspect", "library.wasm", "--json");

        using JsonDocument json = JsonDocument.Parse(result.Output);
        JsonElement root = json.RootElement;
        Assert.Multiple(() =>
        {
            Assert.That(result.ExitCode, Is.Zero);
            Assert.That(root.GetProperty("file").GetString(), Is.EqualTo("library.wasm"));
            Assert.That(root.GetProperty("bytes").GetInt32(), Is.EqualTo(Library().Length));
            Assert.That(root.GetProperty("runnable").GetBoolean(), Is.False);
            Assert.That(root.GetProperty("obstacles").GetArrayLength(), Is.EqualTo(3));
            Assert.That(root.GetProperty("features")[0].GetProperty("name").GetString(), Is.EqualTo("gc"));
            Assert.That(root.GetProperty("features")[0].GetProperty("offset").GetInt32(), Is.EqualTo(11));
            Assert.That(root.GetProperty("wasi")[0].GetString(), Is.EqualTo("sched_yield"));
            Assert.That(root.GetProperty("sections").GetArrayLength(), Is.EqualTo(4));
            Assert.That(root.GetProperty("imports")[0].GetProperty("type").GetString(), Is.EqualTo("() -> ()"));
            Assert.That(root.GetProperty("producers")[0].GetProperty("values")[1].GetProperty("version").GetString(), Is.EqualTo("1.90"));
            Assert.That(root.GetProperty("targetFeatures")[0].GetString(), Is.EqualTo("+simd128"));
        });
    }

    [Test]
    public void A_component_is_refused_with_what_to_do()
    {
        File.WriteAllBytes(_scratch["component.wasm"], [0, 0x61, 0x73, 0x6D, 0x0D, 0, 1, 0]);

        CommandResult result = Run("inspect", "component.wasm");

        Assert.That(result.ExitCode, Is.EqualTo(4));
        Assert.That(result.Error, Does.StartWith("everheap: component.wasm: at byte 0x4: a component").And.Contain("wasm-tools component unbundle").And.Contain("wasm32-wasip1"));
    }

    [Test]
    public void A_name_with_control_characters_does_not_reach_the_terminal()
    {
        File.WriteAllBytes(_scratch["odd.wasm"], [0, 0x61, 0x73, 0x6D, 1, 0, 0, 0, 0, 3, 2, 0x1B, (byte)'c']);

        Assert.That(Run("inspect", "odd.wasm").Output, Does.Contain("  ?c (custom)\n").And.Not.Contain('\x1b'));
    }

    // A structure, () -> () and () -> i32; imports env.f and sched_yield; what made it.
    private static byte[] Library() =>
    [
        0, 0x61, 0x73, 0x6D, 1, 0, 0, 0,
        .. Section(1, [3, 0x5F, 0, 0x60, 0, 0, 0x60, 0, 1, 0x7F]),
        .. Section(2, [2, .. Name("env"), .. Name("f"), 0, 1, .. Name("wasi_snapshot_preview1"), .. Name("sched_yield"), 0, 2]),
        .. Section(0, [.. Name("producers"), 1, .. Name("language"), 2, .. Name("C11"), .. Name(""), .. Name("Rust"), .. Name("1.90")]),
        .. Section(0, [.. Name("target_features"), 1, (byte)'+', .. Name("simd128")]),
    ];

    private static byte[] Section(byte id, byte[] contents) => [id, (byte)contents.Length, .. contents];

    private static byte[] Name(string name) => [(byte)name.Length, .. Encoding.ASCII.GetBytes(name)];

    private CommandResult Run(params string[] arguments) => EverheapProcess.Run(_scratch.Path, arguments);
}
