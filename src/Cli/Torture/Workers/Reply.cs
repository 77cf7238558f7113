using Everheap.Cli.Torture.Operations;

namespace Everheap.Cli.Torture.Workers;

/// <summary>What a worker said.</summary>
/// <param name="Lane">The lane that said it.</param>
/// <param name="Kind">What it had been asked for.</param>
/// <param name="Outcome">How that ended.</param>
/// <param name="Content">What else it tells.</param>
internal sealed record Reply(byte Lane, OperationKind Kind, Outcome Outcome, BinaryReader Content)
{
    /// <summary>Takes a message apart.</summary>
    public static Reply Parse(byte[] message)
    {
        var reader = new BinaryReader(new MemoryStream(message));
        return new Reply(reader.ReadByte(), (OperationKind)reader.ReadByte(), (Outcome)reader.ReadByte(), reader);
    }

    /// <summary>Hands it to the operation that it answers.</summary>
    /// <exception cref="TortureFailure">The operation failed, or its answer is not what it should be.</exception>
    public void HandTo(Operation operation)
    {
        if (operation.Kind != Kind)
        {
            throw new TortureFailure($"{Kind} was answered, where {operation.Kind} was asked for");
        }

        switch (Outcome)
        {
            case Outcome.Done:
                operation.Done(Content);
                break;
            case Outcome.Full:
                operation.Full(Content);
                break;
            default:
                throw new TortureFailure($"{Kind} failed with {Content.ReadString()}\n{Content.ReadString()}");
        }
    }
}
