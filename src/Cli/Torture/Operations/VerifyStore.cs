using Everheap.Cli.Torture.Model;
using Everheap.Cli.Torture.Workers;
using Everheap.Engine;

namespace Everheap.Cli.Torture.Operations;

/// <summary>Has the store walk over everything it reaches, while other lanes go on.</summary>
internal sealed class VerifyStore : Operation
{
    /// <inheritdoc/>
    public override OperationKind Kind => OperationKind.Verify;

    /// <summary>What the walk found.</summary>
    public FoundVerification Found { get; private set; } = null!;

    /// <summary>In the worker.</summary>
    public static void Execute(WorkerLane lane, BinaryReader request, BinaryWriter reply) => Write(reply, lane.Session.Store.Verify());

    /// <summary>Writes a walk's outcome.</summary>
    public static void Write(BinaryWriter reply, VerifyReport report)
    {
        reply.Write(report.Pages);
        reply.Write(report.AllocatedPages);
        reply.Write(report.ReachablePages);
        reply.Write(report.ProblemCount);
        VerifyProblem? first = report.Problems.Count > 0 ? report.Problems[0] : null;
        reply.Write(first is null ? "" : $"{first.Subject} of '{first.HeapName}', page {first.PageNumber}, file offset {first.FileOffset}: {first.Message}");
    }

    /// <summary>Reads a walk's outcome.</summary>
    public static FoundVerification Read(BinaryReader reply) =>
        new(reply.ReadInt64(), reply.ReadInt64(), reply.ReadInt64(), reply.ReadInt64(), reply.ReadString());

    /// <inheritdoc/>
    public override void Encode(BinaryWriter request)
    {
    }

    /// <inheritdoc/>
    public override void Done(BinaryReader reply)
    {
        Found = Read(reply);
        RecoveryCheck.Check(Found);
    }
}
