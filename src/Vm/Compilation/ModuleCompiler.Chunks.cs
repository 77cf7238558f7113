namespace Everheap.Vm.Compilation;

/// <content>Chunks: emitted, or read from a cache, and loaded when the first of their functions is called.</content>
internal sealed unsafe partial class ModuleCompiler
{
    /// <summary>Chunks that a module may have to be emitted ahead as a whole.</summary>
    private const int EmittedAheadMax = 48;

    private readonly ChunkLayout _layout;
    private readonly CompiledChunk?[] _chunks;
    private readonly ChunkEmission[] _emissions;
    private readonly bool[] _isKept;
    private bool _isEmittedAhead;

    /// <summary>Emits a chunk, unless that was done or is being done, so that it can be loaded at once when one of its functions is called. Without the gate: the program goes on meanwhile.</summary>
    public void EmitAhead(int chunk)
    {
        if (Volatile.Read(ref _chunks[chunk]) is null && _emissions[chunk].TryGet() is ChunkImage image)
        {
            Keep(chunk, image);
            if (Volatile.Read(ref _chunks[chunk]) is not null)
            {
                _emissions[chunk].Clear();
            }
        }
    }

    private CompiledChunk Load(int chunk)
    {
        if (_chunks[chunk] is CompiledChunk loaded)
        {
            return loaded;
        }

        if (Module.Cached?.ReadChunk(Options, chunk) is ChunkImage kept && TryLoad(chunk, kept) is CompiledChunk known)
        {
            return known;
        }

        EmitOthersAhead(chunk);
        ChunkImage image = _emissions[chunk].Get();
        loaded = Load(chunk, image);
        Keep(chunk, image);
        _emissions[chunk].Clear();
        return loaded;
    }

    // A program that is started calls functions of nearly all chunks of a module of usual size.
    private void EmitOthersAhead(int chunk)
    {
        if (_layout.Count <= EmittedAheadMax && !_isEmittedAhead)
        {
            _isEmittedAhead = true;
            for (int other = 0; other < _layout.Count; other++)
            {
                if (other != chunk && _chunks[other] is null)
                {
                    Optimiser.AddEmission(this, other);
                }
            }
        }
    }

    private ChunkImage EmitChunk(int chunk)
    {
        (int first, int end) = _layout.RangeOf(chunk);
        return CompiledChunk.Emit(this, first, end, (target, il, function) => _sites[function] = EmitFunction(target, il, function, CodeForm.Fast));
    }

    // Puts what was emitted into the cache.
    private void Keep(int chunk, ChunkImage image)
    {
        if (Module.Cached is not null && Interlocked.Exchange(ref _isKept[chunk], true) == false)
        {
            (int first, int end) = _layout.RangeOf(chunk);
            Module.Cached.WriteChunk(Options, chunk, image);
            Module.Cached.WriteSites(Options, chunk, SiteImage.Write([.. _sites[first..end]!]));
        }
    }

    // What a cache has kept, and is no assembly, is made anew.
    private CompiledChunk? TryLoad(int chunk, ChunkImage image)
    {
        try
        {
            return Load(chunk, image);
        }
        catch (BadImageFormatException)
        {
            return null;
        }
    }

    private CompiledChunk Load(int chunk, ChunkImage image)
    {
        if (_layout.Count > 1)
        {
            PutResolvers(image.Called);
        }

        CompiledChunk loaded = CompiledChunk.Load(image, _layout.RangeOf(chunk).First, _functions, _space);
        Volatile.Write(ref _chunks[chunk], loaded);
        (int first, int end) = _layout.RangeOf(chunk);
        PutResolvers(Enumerable.Range(first, end - first).Where(IsLarge));
        Optimiser.AddChunk(this, chunk);
        return loaded;
    }

    /// <summary>A chunk's image, which is emitted by whoever asks for it first; others wait.</summary>
    private sealed class ChunkEmission(Func<ChunkImage> emit)
    {
        private readonly Lock _gate = new();
        private ChunkImage? _image;

        public ChunkImage Get()
        {
            lock (_gate)
            {
                return _image ??= emit();
            }
        }

        /// <summary>The image, or null where another thread is emitting it.</summary>
        public ChunkImage? TryGet()
        {
            if (!_gate.TryEnter())
            {
                return null;
            }

            try
            {
                return _image ??= emit();
            }
            finally
            {
                _gate.Exit();
            }
        }

        /// <summary>The chunk is loaded: its image is not needed any more.</summary>
        public void Clear()
        {
            lock (_gate)
            {
                _image = null;
            }
        }
    }
}
