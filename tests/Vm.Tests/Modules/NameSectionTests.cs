using Everheap.Vm.Modules;
using static Everheap.Vm.Tests.Modules.ModuleBytes;

namespace Everheap.Vm.Tests.Modules;

[TestFixture]
internal sealed class NameSectionTests
{
    [Test]
    public void Names_of_the_module_its_functions_and_locals_are_read()
    {
        byte[] names = [
            .. Section(0, Name("it")),
            .. Section(1, [2, 0, .. Name("first"), 3, .. Name("fourth")]),
            .. Section(2, [1, 0, 2, 0, .. Name("x"), 1, .. Name("y")]),
            .. Section(9, 1, 2, 3)];

        Module module = Module.Decode(Of(Section(0, [.. Name("name"), .. names])));

        Assert.Multiple(() =>
        {
            Assert.That(module.Name, Is.EqualTo("it"));
            Assert.That(module.FunctionNames[0], Is.EqualTo("first"));
            Assert.That(module.FunctionNames[3], Is.EqualTo("fourth"));
            Assert.That(module.LocalNames[(0, 1)], Is.EqualTo("y"));
            Assert.That(module.DisplayNameOf(0), Is.EqualTo("first"));
        });
    }

    [Test]
    public void A_malformed_name_section_makes_no_module_invalid()
    {
        byte[] names = [.. Section(1, [9, 0, .. Name("first"), 1, 50, 1])];

        Module module = Module.Decode(Of(EmptyType, Section(3, 1, 0), Code(End), Section(0, [.. Name("name"), .. names])));

        Assert.Multiple(() =>
        {
            Assert.That(module.Name, Is.Null);
            Assert.That(module.LocalNames, Is.Empty);
            Assert.That(() => module.DisplayNameOf(0), Throws.Nothing);
        });
    }

    [Test]
    public void A_function_without_a_name_is_called_by_its_number() =>
        Assert.That(Module.Decode(Function(End)).DisplayNameOf(0), Is.EqualTo("func[0]"));
}
