namespace Everheap.Engine.Tests.Model;

/// <content>Checkpoints: begun, in flight, completed, several at once; and the writers.</content>
internal sealed partial class StoreRun
{
    /// <summary>Seals a heap, and leaves the rest to its writer.</summary>
    private void BeginCheckpoint(OpenHeap heap)
    {
        FinishCheckpoint(heap);
        if (IsGated)
        {
            if (!_medium.Gate.Knows(heap))
            {
                Quiet(); // so that the next unknown thread to come by is this heap's writer
            }

            _medium.Gate.Expect(heap);
            _medium.Gate.Close();
        }

        if (heap.Stalled is { } stalled)
        {
            // The engine first completes that one, and only then seals.
            stalled.Pending = null;
            Add(stalled);
        }

        long number = (heap.Stalled?.Checkpoint.Number ?? (long)heap.Heap.LatestCheckpointNumber) + 1;
        Sealed next = new(heap, new ModelCheckpoint(number, _clock.GetUtcNow().UtcDateTime, heap.Work.Model.Snapshot()));
        Add(next);
        try
        {
            next.Pending = heap.Heap.BeginCheckpoint();
        }
        catch (HeapFullException)
        {
            Remove(next);
            if (heap.Stalled is not null)
            {
                Remove(heap.Stalled);
            }

            throw;
        }

        Observe();
        if (heap.Stalled is { IsDurable: false })
        {
            throw new AssertionException($"Heap '{heap.Identity.Name}' was sealed anew, but its checkpoint {heap.Stalled.Checkpoint.Number} is not durable.");
        }

        heap.Stalled = null;
        heap.InFlight = next;
        if (next.Pending.Number != number)
        {
            throw new AssertionException($"Checkpoint {next.Pending.Number} of heap '{heap.Identity.Name}' was begun instead of {number}.");
        }

        if (IsGated)
        {
            PendingCheckpoint pending = next.Pending;
            _medium.Gate.Started(heap, () => pending.IsCompleted);
        }
    }

    private void CheckpointNow(OpenHeap heap)
    {
        BeginCheckpoint(heap);
        FinishCheckpoint(heap);
        if (heap.Stalled is not null)
        {
            throw new HeapFullException("The checkpoint had no room.");
        }
    }

    /// <summary>Waits until a heap's checkpoint in flight is durable, or has stalled for want of room.</summary>
    private void FinishCheckpoint(OpenHeap heap)
    {
        while (heap.InFlight?.Pending is { IsCompleted: false } pending)
        {
            if (!_medium.Gate.Step(heap) && !(_medium.Gate.InCommit is { } other && _medium.Gate.Step(other)))
            {
                ((IAsyncResult)pending.Completion).AsyncWaitHandle.WaitOne();
            }
        }

        NoteCompletion(heap);
    }

    private void LetAWriterGoOn(int ios)
    {
        if (_medium.Gate.Parked is { Count: > 0 } parked)
        {
            object writer = parked[_random.Next(parked.Count)];
            for (int i = 0; i < ios && _medium.Gate.Step(writer); i++)
            {
            }
        }
    }

    /// <summary>While a root is being made, other heaps get to where they want to be in the next: they will be in it together.</summary>
    private void CoincidingCheckpoints()
    {
        if (_heaps.Count < 3 || !IsGated)
        {
            return;
        }

        foreach (OpenHeap heap in _heaps.Where(heap => !_medium.Gate.Knows(heap)))
        {
            CheckpointNow(heap);
        }

        List<OpenHeap> ready = [.. _heaps];
        Quiet();
        BeginCheckpoint(ready[0]);
        while (_medium.Gate.InCommit is null && _medium.Gate.Step(ready[0]))
        {
        }

        foreach (OpenHeap heap in ready.Skip(1))
        {
            _medium.Gate.Driven = heap;
            if (heap.InFlight is null && heap.Stalled is null)
            {
                BeginCheckpoint(heap);
            }

            while (_medium.Gate.InCommit != heap && _medium.Gate.Step(heap))
            {
            }
        }
    }

    /// <summary>Waits until no root is being made, so that what follows can make one without waiting. Checkpoints that are not that far stay in flight.</summary>
    private void Quiet()
    {
        _medium.Gate.Settle();
        while (_medium.Gate.InCommit is { } writer)
        {
            _medium.Gate.Step(writer);
        }

        if (!IsGated)
        {
            foreach (OpenHeap heap in _heaps)
            {
                FinishCheckpoint(heap);
            }
        }

        Observe();
        NoteCompletions();
    }

    private void NoteCompletions()
    {
        Observe();
        foreach (OpenHeap heap in _heaps)
        {
            NoteCompletion(heap);
        }
    }

    private void NoteCompletion(OpenHeap heap)
    {
        if (heap.InFlight is not { Pending: { IsCompleted: true } pending } inFlight)
        {
            return;
        }

        heap.InFlight = null;
        Observe();
        if (pending.Completion.IsCompletedSuccessfully)
        {
            if (!inFlight.IsDurable || pending.Completion.Result.Number != inFlight.Checkpoint.Number)
            {
                throw new AssertionException(
                    $"Checkpoint {pending.Completion.Result.Number} of heap '{heap.Identity.Name}' has returned; the root says {heap.Heap.LatestCheckpointNumber}.");
            }
        }
        else if (pending.Completion.Exception!.InnerException is HeapFullException && _medium.Capacity < long.MaxValue)
        {
            TimesFull++;
            Remove(inFlight);
            heap.Stalled = inFlight;
        }
        else
        {
            pending.Wait();
        }
    }

    private void Add(Sealed checkpoint)
    {
        lock (_lock)
        {
            _sealed.Add(checkpoint);
        }
    }

    private void Remove(Sealed checkpoint)
    {
        lock (_lock)
        {
            _sealed.Remove(checkpoint);
        }
    }
}
