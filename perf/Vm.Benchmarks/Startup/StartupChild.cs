using System.Diagnostics;
using System.Globalization;
using Everheap.Vm.Benchmarks.Programs;
using Everheap.Vm.Modules;
using HostProcess = System.Diagnostics.Process;

namespace Everheap.Vm.Benchmarks.Startup;

/// <summary>
/// In a process of its own, so that nothing is warm: brings a program to its first line of output, and says how long each step took and how much memory the process
/// has used by then.
/// </summary>
internal static class StartupChild
{
    public static int Run(string modulePath, string[] options)
    {
        double runtime = (DateTime.Now - HostProcess.GetCurrentProcess().StartTime).TotalMilliseconds;
        Directory.CreateDirectory(ProgramSet.WorkFolder);
        string heapPath = Path.Combine(ProgramSet.WorkFolder, $"startup.{Environment.ProcessId}.heap");
        try
        {
            long started = Stopwatch.GetTimestamp();
            Module module = Module.Load(modulePath);
            double loaded = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
            var output = new FirstWrite();
            using Process process = Process.Create(module, heapPath, new ProcessOptions
            {
                StandardInput = Stream.Null,
                StandardOutput = output,
                StandardError = Stream.Null,
                Output = OutputMode.Immediate,
                MemoryAddressing = options.Contains("paged") ? MemoryAddressing.Paged : MemoryAddressing.Automatic,
            });
            double created = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
            ProcessOutcome outcome = process.Run();
            double ended = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
            double first = Stopwatch.GetElapsedTime(started, output.Time).TotalMilliseconds;
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"runtime {runtime:F0}, module {loaded:F0}, process {created - loaded:F0}, first line {first - created:F0} (in all {first:F0}), end {ended - first:F0} ms; {HostProcess.GetCurrentProcess().PeakWorkingSet64 >> 20} MiB"));
            return outcome.State == ProcessState.Exited ? outcome.ExitCode : 1;
        }
        finally
        {
            File.Delete(heapPath);
        }
    }

    /// <summary>Notes when the first byte was written, and drops what is written.</summary>
    private sealed class FirstWrite : Stream
    {
        /// <summary>A time stamp of <see cref="Stopwatch"/>.</summary>
        public long Time { get; private set; }

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => Time = Time == 0 ? Stopwatch.GetTimestamp() : Time;
    }
}
