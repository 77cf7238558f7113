namespace Everheap.Media.Tests.Volumes;

/// <summary>A block device over a file. Disposed of, it stays for whoever has it open (or mounted), and goes with the last of them.</summary>
internal sealed class LoopDevice : IDisposable
{
    private LoopDevice(string path) => Path = path;

    public string Path { get; }

    public static LoopDevice Attach(string file) => new(AttachForGood(file));

    /// <summary>Attaches a device that stays until it is detached.</summary>
    public static string AttachForGood(string file) => Tool.Run("losetup", "--find", "--show", file);

    public void Dispose() => Tool.Run("losetup", "--detach", Path);
}
