using System.Runtime.InteropServices;

namespace Everheap.Vm.Execution;

/// <summary>How much of its thread's stack compiled code may use: hosts call guests on threads of all sizes.</summary>
internal static unsafe partial class NativeStack
{
    /// <summary>The most that is left to the host, the JIT and the engine.</summary>
    private const long ReserveBytesMax = 4L << 20;

    /// <summary>What is taken for a thread's stack below here, where the system does not say.</summary>
    private const long AssumedBytes = 512L << 10;

    private const int ReserveShare = 4;
    private const int AttributeBytes = 256;

    [ThreadStatic]
    private static nint _end;

    /// <summary>The address below which frames are to move to the heap.</summary>
    /// <param name="present">The limit as it was, which is kept where it still does.</param>
    /// <param name="bytes">What may be used at most.</param>
    public static byte* LimitFor(byte* present, int bytes)
    {
        byte marker;
        byte* here = &marker;
        if (_end == 0)
        {
            _end = (nint)EndOf(here);
        }

        byte* end = (byte*)_end;
        if (present >= end && present <= here - (bytes / 2) && present >= here - bytes)
        {
            return present;
        }

        return here - end > bytes ? here - bytes : end;
    }

    /// <summary>Whether the stack has reached below a limit.</summary>
    public static bool IsBelow(byte* limit)
    {
        byte marker;
        return &marker < limit;
    }

    // The reserve is left: what lies below is not given to guests.
    private static byte* EndOf(byte* here)
    {
        byte* lowest = Lowest(out long size);
        if (lowest == null || lowest >= here)
        {
            return here - AssumedBytes;
        }

        return lowest + Math.Min(ReserveBytesMax, size / ReserveShare);
    }

    private static byte* Lowest(out long size)
    {
        size = 0;
        try
        {
            if (OperatingSystem.IsWindows())
            {
                GetCurrentThreadStackLimits(out nint low, out nint high);
                size = high - low;
                return (byte*)low;
            }

            if (OperatingSystem.IsMacOS())
            {
                nint thread = PthreadSelf();
                size = (long)PthreadStackSize(thread);
                return (byte*)PthreadStackAddress(thread) - size;
            }

            byte* attributes = stackalloc byte[AttributeBytes];
            if (PthreadAttributes(PthreadSelf(), attributes) != 0)
            {
                return null;
            }

            int error = PthreadStack(attributes, out nint address, out nuint bytes);
            _ = PthreadDestroyAttributes(attributes);
            size = (long)bytes;
            return error == 0 ? (byte*)address : null;
        }
        catch (Exception exception) when (exception is EntryPointNotFoundException or DllNotFoundException)
        {
            return null;
        }
    }

    [LibraryImport("kernel32")]
    private static partial void GetCurrentThreadStackLimits(out nint low, out nint high);

    [LibraryImport("libc", EntryPoint = "pthread_self")]
    private static partial nint PthreadSelf();

    [LibraryImport("libc", EntryPoint = "pthread_getattr_np")]
    private static partial int PthreadAttributes(nint thread, byte* attributes);

    [LibraryImport("libc", EntryPoint = "pthread_attr_getstack")]
    private static partial int PthreadStack(byte* attributes, out nint address, out nuint size);

    [LibraryImport("libc", EntryPoint = "pthread_attr_destroy")]
    private static partial int PthreadDestroyAttributes(byte* attributes);

    [LibraryImport("libc", EntryPoint = "pthread_get_stackaddr_np")]
    private static partial nint PthreadStackAddress(nint thread);

    [LibraryImport("libc", EntryPoint = "pthread_get_stacksize_np")]
    private static partial nuint PthreadStackSize(nint thread);
}
