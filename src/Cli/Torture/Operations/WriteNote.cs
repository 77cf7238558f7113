using System.Buffers.Binary;
using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Writes the store's note, which survives the death of the process when this returns.</summary>
internal sealed class WriteNote(StoreModel model) : Operation
{
    private long _note;

    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.WriteNote;

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply)
    {
        Span<byte> note = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(note, request.ReadInt64());
        lane.Session.Store.WriteNote(note);
    }

    /// <summary>What a note says.</summary>
    public static long Decode(ReadOnlySpan<byte> note) => note.Length == sizeof(long) ? BinaryPrimitives.ReadInt64LittleEndian(note) : -1;

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
        _note = model.BeginNote();
        request.Write(_note);
    }

    /// <inheritdoc/>
    public override void Done(BinaryReader reply) => model.EndNote(_note);
}
