using Everheap.Engine.Tests.Transfer;

namespace Everheap.Engine.Tests.Model;

/// <content>Heaps: created, opened, closed, forked, dropped; and the store itself opened again.</content>
internal sealed partial class StoreRun
{
    private const int NamesMax = 12;

    /// <summary>Does what makes roots that change nothing of what the store holds.</summary>
    private void Maintain(Action operation)
    {
        Quiet();
        lock (_lock)
        {
            _isMaintaining = true;
        }

        try
        {
            operation();
            Observe();
        }
        finally
        {
            lock (_lock)
            {
                _isMaintaining = false;
            }
        }
    }

    /// <summary>Does what makes a root, and nothing else makes one meanwhile.</summary>
    /// <param name="operation">What is done to the store.</param>
    /// <param name="change">What it does to the model; null if the store has to refuse it.</param>
    private void Change(Action operation, Func<StoreModel, StoreModel>? change)
    {
        Quiet();
        lock (_lock)
        {
            _change = change ?? (state => state); // A root is made all the same.
        }

        try
        {
            operation();
            if (change is null)
            {
                throw new AssertionException("The store did what it had to refuse.");
            }
        }
        catch (HeapFullException)
        {
            lock (_lock)
            {
                _change = null;
            }

            throw;
        }
        catch (HeapException refusal) when (change is null && refusal.GetType() == typeof(HeapException))
        {
        }

        Observe();
        lock (_lock)
        {
            if (_change is not null)
            {
                // It went into a root together with a heap's checkpoint.
                _roots[_root] = _durable = _change(_durable);
                _change = null;
            }
        }
    }

    private void CreateHeap()
    {
        if (_heaps.Count >= OpenHeapsMax || _durable.Heaps.Count + _heaps.Count >= HeapsMax || FreeName() is not { } name)
        {
            return;
        }

        Quiet();
        ModelHeap identity = new(_nextId++, name, _clock.GetUtcNow().UtcDateTime);
        PersistentHeap heap = Store.CreateHeap(name);
        _heaps.Add(Opened(identity, heap, new HeapModel()));
    }

    private void OpenAHeap()
    {
        List<ModelHeap> closed = [.. Closed()];
        if (closed.Count == 0 || _heaps.Count >= OpenHeapsMax)
        {
            CreateHeap();
            return;
        }

        Quiet();
        ModelHeap identity = closed[_random.Next(closed.Count)];
        PersistentHeap heap = Store.OpenHeap(identity.Name);
        OpenHeap opened = Opened(identity, heap, identity.Content);
        _heaps.Add(opened);
        if ((long)heap.LatestCheckpointNumber != identity.Number)
        {
            throw new AssertionException($"Heap '{identity.Name}' was opened at {heap.LatestCheckpointNumber} instead of {identity.Number}.");
        }
    }

    private OpenHeap Opened(ModelHeap identity, PersistentHeap heap, HeapModel content)
    {
        HeapWork work = new(_random, ShapeOf(identity.Id), content.PageNumbers);
        work.Attach(heap, content);
        return new OpenHeap(identity, heap, work);
    }

    private WorkShape ShapeOf(int id) => (id % 4, FillsUp) switch
    {
        (0, false) => WorkShape.Medium,
        (0 or 1, true) => WorkShape.Large,
        _ => WorkShape.Small,
    };

    /// <summary>Closes a heap; what is not in a checkpoint that was begun is gone, and so is a checkpoint that had no room.</summary>
    private void CloseHeap(OpenHeap heap)
    {
        FinishCheckpoint(heap);
        Quiet();
        heap.Work.Detach();
        heap.Heap.Dispose();
        _medium.Gate.Forget(heap);
        _heaps.Remove(heap);
    }

    private void Fork()
    {
        if (_durable.Heaps.Count >= HeapsMax || FreeName() is not { } name)
        {
            return;
        }

        (ModelHeap? origin, ModelCheckpoint? source) = AnyCheckpoint(onlyRetained: _random.Next(8) != 0);
        if (origin is null || source is null)
        {
            return;
        }

        int id = _nextId++;
        DateTime now = _clock.GetUtcNow().UtcDateTime;
        Change(
            () => Store.Fork(origin.Name, source.Number, name),
            source.IsRetained ? state => state.Fork(origin.Id, source.Number, id, name, now) : null);
    }

    /// <summary>
    /// Sends a checkpoint, and receives it in the same store. Of the roots that this makes, all but the last change nothing that can be seen; which is the last is known
    /// when it has returned.
    /// </summary>
    private void Receive()
    {
        if (_durable.Heaps.Count >= HeapsMax || FreeName() is not { } name)
        {
            return;
        }

        foreach (OpenHeap heap in _heaps)
        {
            FinishCheckpoint(heap);
        }

        Quiet();
        (ModelHeap? origin, ModelCheckpoint? source) = AnyCheckpoint(onlyRetained: true);
        if (origin is null || source is null)
        {
            return;
        }

        byte[] stream = TransferBench.Send(Store, origin.Name, source.Number, origin.Name, from: null);
        int id = _nextId++;
        DateTime now = _clock.GetUtcNow().UtcDateTime;
        StoreModel Received(StoreModel state) => state.Receive(source, id, name, now);
        _medium.Gate.Open();
        lock (_lock)
        {
            Unpinned(origin.Id, source.Number); // Sending had a snapshot open.
            (_isMaintaining, _possibleChange) = (true, Received);
        }

        // A write that fails may have arrived all the same, and with it the root that has the heap; where there is no room, nothing was written.
        bool mayHaveArrived = true;
        try
        {
            TransferBench.Receive(Store, stream, name);
            mayHaveArrived = false;
            lock (_lock)
            {
                _change = Received;
            }
        }
        catch (HeapFullException)
        {
            mayHaveArrived = false;
            throw;
        }
        finally
        {
            Observe();
            lock (_lock)
            {
                (_isMaintaining, _possibleChange) = (false, mayHaveArrived ? _possibleChange : null);
            }
        }

        lock (_lock)
        {
            if (_change is not null)
            {
                // The last root was seen already, because the file was cut after it.
                _roots[_root] = _durable = Received(_durable);
                _change = null;
            }
        }
    }

    private void DropHeap()
    {
        Quiet();
        if (_durable.Heaps.IsEmpty)
        {
            return;
        }

        List<ModelHeap> all = [.. _durable.Heaps.Values];
        ModelHeap heap = all[_random.Next(all.Count)];
        bool isInUse = _heaps.Exists(open => open.Identity.Id == heap.Id) || _snapshots.Exists(snapshot => snapshot.HeapId == heap.Id);
        if (!isInUse || _random.Next(4) == 0)
        {
            Change(() => Store.DropHeap(heap.Name), isInUse ? null : state => state.Drop(heap.Id));
        }
    }

    /// <summary>Closes the store and opens it, with or without checkpoints; without, what was done since the last is gone.</summary>
    private void ReopenStore()
    {
        foreach (OpenHeap heap in _heaps)
        {
            if (_random.Next(2) == 0)
            {
                BeginCheckpoint(heap);
            }
        }

        // Half of them are closed by the store, with what they have in flight.
        foreach (OpenHeap heap in _heaps.Where(_ => _random.Next(2) == 0).ToList())
        {
            CloseHeap(heap);
        }

        Reopen();
    }

    private void Reopen()
    {
        _medium.Gate.Open();
        foreach (OpenHeap heap in _heaps)
        {
            FinishCheckpoint(heap);
        }

        Quiet();
        StoreModel last = _durable;
        ulong root = _root;
        Dispose();
        _medium.Reattach();
        Open([(root, last)], "after closing and opening");
    }

    private IEnumerable<ModelHeap> Closed() => _durable.Heaps.Values.Where(heap => !_heaps.Exists(open => open.Identity.Id == heap.Id));

    /// <summary>A name that no heap has, often one that a heap once had.</summary>
    private string? FreeName()
    {
        List<string> free = [.. Enumerable.Range(0, NamesMax).Select(i => $"heap-{i}").Where(name => !_durable.Heaps.ContainsKey(name) && !_heaps.Exists(open => open.Identity.Name == name))];
        return free.Count == 0 ? null : free[_random.Next(free.Count)];
    }

    /// <summary>A heap and one of its checkpoints.</summary>
    private (ModelHeap? Heap, ModelCheckpoint? Checkpoint) AnyCheckpoint(bool onlyRetained, Func<ModelHeap, bool>? which = null)
    {
        Quiet();
        List<ModelHeap> heaps = [.. _durable.Heaps.Values.Where(which ?? (_ => true))];
        if (heaps.Count == 0)
        {
            return default;
        }

        ModelHeap heap = heaps[_random.Next(heaps.Count)];
        List<ModelCheckpoint> checkpoints = [.. heap.Checkpoints.Where(checkpoint => checkpoint.IsRetained || !onlyRetained)];
        return (heap, checkpoints[_random.Next(checkpoints.Count)]);
    }
}
