using System.Text;
using Everheap.Engine;

namespace Everheap.Vm.Execution;

/// <summary>The program's name and arguments as the header page refers to them, for people who look at a heap file.</summary>
internal static class CommandLineRecord
{
    private const int BytesMax = 1 << 20;

    /// <summary>Writes the command line into a range of its own. What is longer than a limit is cut: the program itself gets its arguments from the system interface's state.</summary>
    public static void Write(PersistentHeap heap, MachineHeader header, ProcessOptions options)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(string.Concat(options.Arguments.Prepend(options.ProgramName).Select(text => text + '\0')));
        int length = Math.Min(bytes.Length, BytesMax);
        header.CommandLineAddress = heap.Allocate((ulong)length);
        header.CommandLineLength = (ulong)length;
        heap.Write(header.CommandLineAddress, bytes.AsSpan(0, length));
    }

    /// <summary>Reads it: the program's name, then its arguments.</summary>
    /// <exception cref="HeapFormatException">Its length cannot be.</exception>
    public static IReadOnlyList<string> Read(HeapReader read, MachineHeader header)
    {
        if (header.CommandLineLength > BytesMax)
        {
            throw new HeapFormatException($"the heap says that its program's command line has {header.CommandLineLength} bytes, which cannot be");
        }

        byte[] bytes = new byte[header.CommandLineLength];
        read(header.CommandLineAddress, bytes);
        return Encoding.UTF8.GetString(bytes).Split('\0')[..^1];
    }
}
