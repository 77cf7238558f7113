using System.Globalization;
using Everheap.Media.Tests.Children;

namespace Everheap.Media.Tests;

/// <summary>What the assembly does when it is started as a child process of its own tests.</summary>
internal static class Program
{
    private static int Main(string[] arguments)
    {
        try
        {
            switch (arguments)
            {
                case ["write", var path, var seed]:
                    StoreCommands.Write(path, Number(seed));
                    return 0;
                case ["open", var path, var mode]:
                    return StoreCommands.Open(path, readOnly: mode == "read");
                case ["read", var path, var seed]:
                    StoreCommands.Read(path, Number(seed));
                    return 0;
                case ["fill-to-limit", var path, var seed, var bytes, var goesOn]:
                    StoreCommands.FillToLimit(path, Number(seed), Number(bytes), bool.Parse(goesOn));
                    return 0;
                default:
                    Console.Error.WriteLine("This is run by tests: write|open|read|fill-to-limit PATH ...");
                    return 2;
            }
        }
        catch (AssertionException failure)
        {
            Console.Error.WriteLine(failure);
            return 1;
        }
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
