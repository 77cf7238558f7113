using System.Runtime.InteropServices;
using Everheap.Engine.Collections;
using Everheap.Engine.Tests.Model;
using Everheap.Engine.Tests.Properties;
using FsCheck;
using FsCheck.Fluent;

namespace Everheap.Engine.Tests.Collections;

/// <summary>A persistent array does what a list does, over checkpoints, reopening and crashes, whatever the size of its elements.</summary>
[TestFixture]
internal sealed class PersistentArrayProperties
{
    private const int Cases = 40;

    [Test]
    public void Bytes_behave_as_in_a_list() => Check<byte>(longest: 30_000);

    [Test]
    public void Elements_that_divide_a_page_behave_as_in_a_list() => Check<long>(longest: 5000);

    [Test]
    public void Elements_that_leave_a_rest_of_each_page_behave_as_in_a_list() => Check<Triple>(longest: 3000);

    [Test]
    public void Elements_of_which_a_page_holds_one_behave_as_in_a_list() => Check<Block>(longest: 200);

    private static void Check<T>(int longest)
        where T : unmanaged
    {
        Gen<Step> step =
            from kind in Gen.Choose(0, 15)
            from at in Gen.Choose(0, int.MaxValue - 1)
            from length in Gen.Choose(0, longest)
            select new Step(kind, at, length);
        Config config = Config.QuickThrowOnFailure.WithMaxTest(TestSeeds.IsLong ? Cases * 20 : Cases);
        Prop.ForAll(step.ListsOf(), steps =>
        {
            using ArrayRun<T> run = new();
            foreach (Step s in steps)
            {
                run.Do(s.Kind, s.At, s.Length);
            }

            run.Finish();
        }).Check(config);
    }

    private readonly record struct Step(int Kind, int At, int Length);

    /// <summary>An array and a list, changed side by side.</summary>
    private sealed class ArrayRun<T> : IDisposable
        where T : unmanaged
    {
        private readonly ReopenableHeap _place = new();
        private List<T> _model = [];
        private T[] _durable = [];
        private PersistentArray<T> _array;
        private int _made;

        public ArrayRun()
        {
            _array = PersistentArray.Create<T>(_place.Heap, capacity: 1);
            _place.Heap.Checkpoint();
        }

        public void Do(int kind, int at, int length)
        {
            int index = _model.Count == 0 ? 0 : at % _model.Count;
            int count = Math.Min(length, _model.Count - index);
            switch (kind)
            {
                case 0 or 1:
                    T added = Elements.Make<T>(++_made);
                    _array.Add(added);
                    _model.Add(added);
                    break;
                case 2 or 3 or 4:
                    T[] many = Elements.Make<T>(_made, length);
                    _made += length;
                    _array.AddRange(many);
                    _model.AddRange(many);
                    break;
                case 5 or 6 when _model.Count > 0:
                    _array[index] = _model[index] = Elements.Make<T>(++_made);
                    break;
                case 7:
                    T[] written = Elements.Make<T>(_made, count);
                    _made += count;
                    _array.Write(index, written);
                    written.CopyTo(CollectionsMarshal.AsSpan(_model)[index..]);
                    break;
                case 8 when _model.Count > 0:
                    Span<T> span = _array.WriteSpan(index, length);
                    T filler = Elements.Make<T>(++_made);
                    span.Fill(filler);
                    CollectionsMarshal.AsSpan(_model).Slice(index, span.Length).Fill(filler);
                    break;
                case 9:
                    _array.Clear(index, count);
                    CollectionsMarshal.AsSpan(_model).Slice(index, count).Clear();
                    break;
                case 10:
                    int shorter = _model.Count - count;
                    _array.Resize(shorter);
                    _model.RemoveRange(shorter, count);
                    break;
                case 11:
                    int longer = _model.Count + (length / 2);
                    _array.Resize(longer);
                    _model.AddRange(new T[longer - _model.Count]);
                    break;
                case 12:
                    _array.EnsureCapacity(_model.Count + length);
                    break;
                case 13:
                    _place.Heap.BeginCheckpoint();
                    _durable = [.. _model];
                    break;
                case 14:
                    // Disposing waits for the checkpoint that was begun, so the last one begun is the last one durable.
                    _place.Reopen();
                    _array = PersistentArray.Open<T>(_place.Heap, _array.Address);
                    _model = [.. _durable];
                    Compare();
                    break;
                default:
                    T[] found = new T[count];
                    _array.CopyTo(index, found);
                    Assert.That(Elements.AreEqual<T>(found, CollectionsMarshal.AsSpan(_model).Slice(index, count)), Is.True);
                    break;
            }

            Assert.That(_array.LongCount, Is.EqualTo(_model.Count));
        }

        public void Finish()
        {
            Compare();
            _place.CheckpointAndReopen();
            _array = PersistentArray.Open<T>(_place.Heap, _array.Address);
            Compare();
            _array.Resize(_array.Capacity);
            ReadOnlySpan<T> span;
            for (long i = _model.Count; i < _array.LongCount; i += span.Length)
            {
                span = _array.ReadSpan(i);
                Assert.That(Elements.AreEqual(span, new T[span.Length]), Is.True, "what lies past the end is zero");
            }

            _array.Delete();
            _place.Heap.Checkpoint();
            VerifyReport report = _place.Verify();
            Assert.That(report.IsSound, string.Join('\n', report.Problems));
        }

        public void Dispose() => _place.Dispose();

        private void Compare()
        {
            Assert.That(Elements.AreEqual<T>(_array.ToArray(), _model.ToArray()), Is.True);
            ReadOnlySpan<T> span;
            for (long i = 0; i < _array.LongCount; i += span.Length)
            {
                span = _array.ReadSpan(i);
                Assert.That(Elements.AreEqual<T>(span, CollectionsMarshal.AsSpan(_model).Slice((int)i, span.Length)), Is.True);
            }
        }
    }
}
