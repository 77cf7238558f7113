using System.Diagnostics;
using Everheap.Cli.Torture.Workers;
using Everheap.Engine;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Opens the store. What it is refused with is part of the answer.</summary>
internal sealed class OpenStore(string path, int salt, bool isReadOnly = false) : Operation
{
    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.OpenStore;

    /// <summary>How long the store took to open.</summary>
    public TimeSpan Time { get; private set; }

    /// <summary>The exception's name that it was refused with; null: it is open.</summary>
    public string? Refusal { get; private set; }

    /// <summary>What that says.</summary>
    public string Message { get; private set; } = "";

    /// <summary>The process that holds the store, as the refusal says.</summary>
    public int Holder { get; private set; }

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        string path = request.ReadString();
        lane.Session.Salt = request.ReadInt32();
        var options = new HeapStoreOptions { ReadOnly = request.ReadBoolean() };
        long start = Stopwatch.GetTimestamp();
        try
        {
            lane.Session.Store = HeapStore.Open(path, options);
            reply.Write("");
            reply.Write(Stopwatch.GetElapsedTime(start).Ticks);
        }
        catch (Exception refusal) when (refusal is HeapException or IOException)
        {
            reply.Write(refusal.GetType().Name);
            reply.Write(refusal.Message);
            reply.Write(refusal is HeapLockedException locked ? locked.ProcessId : 0);
        }
    }

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
        request.Write(path);
        request.Write(salt);
        request.Write(isReadOnly);
    }

    /// <inheritdoc/>
    public override void Done(BinaryReader reply)
    {
        string refusal = reply.ReadString();
        if (refusal.Length == 0)
        {
            Refusal = null;
            Time = TimeSpan.FromTicks(reply.ReadInt64());
        }
        else
        {
            Refusal = refusal;
            Message = reply.ReadString();
            Holder = reply.ReadInt32();
        }
    }
}
