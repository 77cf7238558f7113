using System.Text.RegularExpressions;
namespace Everheap.Engine.Tests.Fuzzing;
[TestFixture]
internal sealed class ScratchTests
{
    [Test, Explicit]
    public void Collect()
    {
        bool forged = Environment.GetEnvironmentVariable("FORGED") != "0";
        int first = int.Parse(Environment.GetEnvironmentVariable("FIRST") ?? "1");
        int count = int.Parse(Environment.GetEnvironmentVariable("COUNT") ?? "3000");
        Dictionary<string, (int Count, int Case, string Text)> found = [];
        var watch = System.Diagnostics.Stopwatch.StartNew();
        long allocatedMax = 0; int stepsMax = 0; double slowest = 0; int slowCase = 0;
        for (int i = first; i < first + count; i++)
        {
            File.WriteAllText("/tmp/media/current", i.ToString());
            var one = System.Diagnostics.Stopwatch.StartNew();
            long before = GC.GetTotalAllocatedBytes();
            FuzzExercise? e = null;
            try { e = StoreFuzzTests.Case(i, forged); e.Run(); }
            catch (Exception x)
            {
                string text = x.ToString();
                string key = Regex.Match(text, @"(?:---> )?[\w.]+Exception").Value + " " + string.Join(" < ", Regex.Matches(text, @"at (Everheap\.Engine\.(?!Tests)[\w.<>`+\[\]]+)\(").Select(m => m.Groups[1].Value.Replace("Everheap.Engine.","")).Take(3)) + " " + (x is AssertionException ? x.Message[..Math.Min(x.Message.Length, 300)] : "");
                key = Regex.Replace(key, @"\d+", "#");
                found[key] = found.TryGetValue(key, out var f) ? (f.Count + 1, f.Case, f.Text) : (1, i, text);
            }
            long alloc = GC.GetTotalAllocatedBytes() - before; if (alloc > allocatedMax) { allocatedMax = alloc; }
            if (alloc > 50 << 20) Console.Error.WriteLine($"case {i} allocated {alloc >> 20} MiB");
            if (one.Elapsed.TotalMilliseconds > slowest) { slowest = one.Elapsed.TotalMilliseconds; slowCase = i; }
            stepsMax = Math.Max(stepsMax, e?.Steps ?? 0);
        }
        TestContext.Out.WriteLine($"{count} cases in {watch.Elapsed.TotalSeconds:F1} s, allocated max {allocatedMax >> 10} KiB, steps {stepsMax}, slowest {slowest:F0} ms case {slowCase}, cpu {System.Diagnostics.Process.GetCurrentProcess().TotalProcessorTime.TotalSeconds:F1}, rss {Environment.WorkingSet >> 20}");
        foreach (var (key, f) in found.OrderByDescending(p => p.Value.Count)) TestContext.Out.WriteLine($"{f.Count} x {key}\n   case {f.Case}");
        File.WriteAllText("/tmp/media/found.txt", string.Join("\n======\n", found.Select(p => p.Value.Case + "\n" + p.Value.Text)));
    }
}
