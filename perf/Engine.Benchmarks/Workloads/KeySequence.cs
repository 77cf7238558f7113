namespace Everheap.Engine.Benchmarks.Workloads;

/// <summary>An endless sequence of keys from 0 to some count, the same for the same seed.</summary>
internal abstract class KeySequence
{
    public abstract long Next();

    public static KeySequence Uniform(long count, ulong seed) => new UniformKeys(count, seed);

    public static KeySequence Zipfian(long count, ulong seed) => new ZipfianKeys(count, seed);

    private sealed class UniformKeys(long count, ulong seed) : KeySequence
    {
        private ulong _state = Records.Mix(seed + 1);

        public override long Next() => (long)Math.BigMul(Step(ref _state), (ulong)count, out _);
    }

    /// <summary>
    /// The distribution of YCSB (Cooper et al., 2010), by the method of Gray et al. (1994): the k-th most popular key is drawn with a probability that falls
    /// with k^-0.99, and popular keys are scattered all over, so that few share a page.
    /// </summary>
    private sealed class ZipfianKeys : KeySequence
    {
        private const double Theta = 0.99;

        /// <summary>The sum up to here is taken term by term, and beyond by its integral.</summary>
        private const long ExactTerms = 10_000;

        private readonly long _count;
        private readonly double _zeta;
        private readonly double _eta;
        private ulong _state;

        public ZipfianKeys(long count, ulong seed)
        {
            _count = count;
            _state = Records.Mix(seed + 1);
            _zeta = Zeta(count);
            _eta = (1 - Math.Pow(2.0 / count, 1 - Theta)) / (1 - (Zeta(2) / _zeta));
        }

        public override long Next()
        {
            double u = (Step(ref _state) >> 11) * (1.0 / (1UL << 53));
            double scaled = u * _zeta;
            long rank = scaled < 1 ? 0
                : scaled < 1 + Math.Pow(0.5, Theta) ? 1
                : (long)(_count * Math.Pow((_eta * u) - _eta + 1, 1 / (1 - Theta)));
            return (long)(Records.Mix((ulong)Math.Min(rank, _count - 1) + 1) % (ulong)_count);
        }

        private static double Zeta(long count)
        {
            double sum = 0;
            long exact = Math.Min(count, ExactTerms);
            for (long i = 1; i <= exact; i++)
            {
                sum += Math.Pow(i, -Theta);
            }

            return sum + ((Math.Pow(count + 0.5, 1 - Theta) - Math.Pow(exact + 0.5, 1 - Theta)) / (1 - Theta));
        }
    }

    private static ulong Step(ref ulong state) => Records.Mix(state += 0x9E3779B97F4A7C15);
}
