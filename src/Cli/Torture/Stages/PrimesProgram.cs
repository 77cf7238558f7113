using System.Globalization;
using System.Text;

namespace Everheap.Cli.Torture.Stages;

/// <summary>The guest program (samples/primes.wasm), and what it must print, found by other means than running it.</summary>
internal static class PrimesProgram
{
    private const string ResourceName = "primes.wasm";

    /// <summary>Writes the module to a file.</summary>
    /// <param name="path">The file.</param>
    public static void WriteModule(string path)
    {
        using Stream module = typeof(PrimesProgram).Assembly.GetManifestResourceStream(ResourceName)
            ?? throw new InvalidOperationException($"{ResourceName} is not part of this program.");
        using FileStream file = File.Create(path);
        module.CopyTo(file);
    }

    /// <summary>What the program prints.</summary>
    /// <param name="lines">How many blocks, and lines.</param>
    /// <param name="span">Numbers of a block; even.</param>
    public static string Output(int lines, int span)
    {
        var output = new StringBuilder();
        bool[] isComposite = new bool[((lines * span) / 2) + 1]; // of 2n + 1
        long primes = 0;
        long twins = 0;
        long gap = 0;
        long gapStart = 0;
        long last = 0;
        for (int line = 1; line <= lines; line++)
        {
            long end = (long)line * span;
            for (long number = line == 1 ? 2 : (end - span) + 1; number < end; number += number == 2 ? 1 : 2)
            {
                if (number > 2 && isComposite[number / 2])
                {
                    continue;
                }

                for (long multiple = number * number; number > 2 && multiple / 2 < isComposite.Length; multiple += 2 * number)
                {
                    isComposite[multiple / 2] = true;
                }

                primes++;
                twins += last > 0 && number - last == 2 ? 1 : 0;
                if (last > 0 && number - last > gap)
                {
                    (gap, gapStart) = (number - last, last);
                }

                last = number;
            }

            output.Append(
                CultureInfo.InvariantCulture, $"{line * 100 / lines,3}% below {end}: {primes} primes, {twins} twins, widest gap {gap} after {gapStart}\n");
        }

        return output.ToString();
    }
}
