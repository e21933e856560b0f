using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Zexus.Vm;

/// <summary>SHA-256 (FIPS 180-4) of many messages at a time, as many blocks in each: one message in each lane of a vector.</summary>
internal abstract unsafe class Sha256Batch
{
    /// <summary>Blocks of the longest message that is worth a lane.</summary>
    public const int MostBlocks = 4;

    public static readonly Sha256Batch Scalar = new Sha256Batch<ScalarLane, uint>();
    public static readonly Sha256Batch Avx2 = new Sha256Batch<Avx2Lanes, Vector256<uint>>();
    public static readonly Sha256Batch Avx512 = new Sha256Batch<Avx512Lanes, Vector512<uint>>();

    /// <summary>The widest that this processor has.</summary>
    public static readonly Sha256Batch Best =
        Avx512.IsSupported ? Avx512
        : Avx2.IsSupported ? Avx2
        : Scalar;

    public abstract bool IsSupported { get; }

    /// <summary>For fewer messages than so many, one by one is faster than lanes without a message.</summary>
    public int Fewest => (Lanes / 3) + 1;

    /// <summary>Messages at a time.</summary>
    public abstract int Lanes { get; }

    /// <summary>
    /// Hashes <see cref="Lanes"/> padded messages that follow one another. Word w of the digest of the message in lane l goes to
    /// <c>digests[w * stride + l]</c>.
    /// </summary>
    public abstract void Hash(byte* messages, int blocks, uint* digests, nint stride);

    /// <summary>
    /// Replaces digests by the digests of their pairs, each pair as the 128 lower-case hexadecimal digits of the two. Word w of
    /// digest i is at <c>digests[w * stride + i]</c>, before and after.
    /// </summary>
    /// <param name="digests">Has room for a multiple of twice <see cref="Lanes"/> digests, whatever is in the last ones.</param>
    /// <param name="stride">Digests that there is room for.</param>
    /// <param name="pairs">Digests afterwards.</param>
    public abstract void HashPairs(uint* digests, nint stride, nint pairs);
}

internal sealed unsafe class Sha256Batch<TLanes, TVector> : Sha256Batch
    where TLanes : struct, ILanes<TVector>
    where TVector : unmanaged
{
    public override bool IsSupported => TLanes.IsSupported;

    public override int Lanes => sizeof(TVector) / sizeof(uint);

    // Optimized at once: a call is worth many, and nothing here can be learnt by watching.
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Hash(byte* messages, int blocks, uint* digests, nint stride)
    {
        TVector* state = stackalloc TVector[Sha256.StateWords];
        TVector* words = stackalloc TVector[Sha256.BlockWords];
        Start(state);
        for (int block = 0; block < blocks; block++)
        {
            TLanes.LoadBlocks(messages + (block * Sha256.BlockBytes), blocks * Sha256.BlockBytes, words);
            Compress(state, words);
        }

        for (int w = 0; w < Sha256.StateWords; w++)
        {
            Unsafe.WriteUnaligned(digests + (w * stride), state[w]);
        }
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void HashPairs(uint* digests, nint stride, nint pairs)
    {
        TVector* state = stackalloc TVector[Sha256.StateWords];
        TVector* left = stackalloc TVector[Sha256.BlockWords];
        TVector* right = stackalloc TVector[Sha256.BlockWords];
        for (nint i = 0; i < pairs; i += Lanes)
        {
            for (int w = 0; w < Sha256.StateWords; w++)
            {
                TLanes.Deinterleave(digests + (w * stride) + (2 * i), out TVector even, out TVector odd);
                left[2 * w] = TLanes.HexDigits(TLanes.ShiftRight(even, 16));
                left[(2 * w) + 1] = TLanes.HexDigits(even);
                right[2 * w] = TLanes.HexDigits(TLanes.ShiftRight(odd, 16));
                right[(2 * w) + 1] = TLanes.HexDigits(odd);
            }

            Start(state);
            Compress(state, left);
            Compress(state, right);
            CompressPadding(state);
            for (int w = 0; w < Sha256.StateWords; w++)
            {
                Unsafe.WriteUnaligned(digests + (w * stride) + i, state[w]);
            }
        }
    }

    private static void Start(TVector* state)
    {
        for (int w = 0; w < Sha256.StateWords; w++)
        {
            state[w] = TLanes.Broadcast(Sha256.InitialState[w]);
        }
    }

    /// <summary>FIPS 180-4, 6.2.2. The sixteen words of the block become the last sixteen of the message schedule.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Compress(TVector* state, TVector* schedule)
    {
        TVector a = state[0];
        TVector b = state[1];
        TVector c = state[2];
        TVector d = state[3];
        TVector e = state[4];
        TVector f = state[5];
        TVector g = state[6];
        TVector h = state[7];
        fixed (uint* constants = Sha256.RoundConstants)
        {
            for (int t = 0; t < Sha256.Rounds; t += 8)
            {
                TVector* w = schedule + (t & 8);
                if (t >= Sha256.BlockWords)
                {
                    TVector* other = schedule + (8 - (t & 8));
                    w[0] = Extend(w[0], w[1], other[1], other[6]);
                    w[1] = Extend(w[1], w[2], other[2], other[7]);
                    w[2] = Extend(w[2], w[3], other[3], w[0]);
                    w[3] = Extend(w[3], w[4], other[4], w[1]);
                    w[4] = Extend(w[4], w[5], other[5], w[2]);
                    w[5] = Extend(w[5], w[6], other[6], w[3]);
                    w[6] = Extend(w[6], w[7], other[7], w[4]);
                    w[7] = Extend(w[7], other[0], w[0], w[5]);
                }

                uint* k = constants + t;
                TVector x = First(e, f, g, h, TLanes.Add(w[0], TLanes.Broadcast(k[0])));
                d = TLanes.Add(d, x);
                h = Second(x, a, b, c);
                x = First(d, e, f, g, TLanes.Add(w[1], TLanes.Broadcast(k[1])));
                c = TLanes.Add(c, x);
                g = Second(x, h, a, b);
                x = First(c, d, e, f, TLanes.Add(w[2], TLanes.Broadcast(k[2])));
                b = TLanes.Add(b, x);
                f = Second(x, g, h, a);
                x = First(b, c, d, e, TLanes.Add(w[3], TLanes.Broadcast(k[3])));
                a = TLanes.Add(a, x);
                e = Second(x, f, g, h);
                x = First(a, b, c, d, TLanes.Add(w[4], TLanes.Broadcast(k[4])));
                h = TLanes.Add(h, x);
                d = Second(x, e, f, g);
                x = First(h, a, b, c, TLanes.Add(w[5], TLanes.Broadcast(k[5])));
                g = TLanes.Add(g, x);
                c = Second(x, d, e, f);
                x = First(g, h, a, b, TLanes.Add(w[6], TLanes.Broadcast(k[6])));
                f = TLanes.Add(f, x);
                b = Second(x, c, d, e);
                x = First(f, g, h, a, TLanes.Add(w[7], TLanes.Broadcast(k[7])));
                e = TLanes.Add(e, x);
                a = Second(x, b, c, d);
            }
        }

        state[0] = TLanes.Add(state[0], a);
        state[1] = TLanes.Add(state[1], b);
        state[2] = TLanes.Add(state[2], c);
        state[3] = TLanes.Add(state[3], d);
        state[4] = TLanes.Add(state[4], e);
        state[5] = TLanes.Add(state[5], f);
        state[6] = TLanes.Add(state[6], g);
        state[7] = TLanes.Add(state[7], h);
    }

    /// <summary>As <see cref="Compress"/>, of the block after a message of 128 bytes: its schedule is the same in all lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CompressPadding(TVector* state)
    {
        TVector a = state[0];
        TVector b = state[1];
        TVector c = state[2];
        TVector d = state[3];
        TVector e = state[4];
        TVector f = state[5];
        TVector g = state[6];
        TVector h = state[7];
        fixed (uint* schedule = Sha256.PairPadding)
        {
            for (uint* w = schedule; w < schedule + Sha256.Rounds; w += 8)
            {
                TVector x = First(e, f, g, h, TLanes.Broadcast(w[0]));
                d = TLanes.Add(d, x);
                h = Second(x, a, b, c);
                x = First(d, e, f, g, TLanes.Broadcast(w[1]));
                c = TLanes.Add(c, x);
                g = Second(x, h, a, b);
                x = First(c, d, e, f, TLanes.Broadcast(w[2]));
                b = TLanes.Add(b, x);
                f = Second(x, g, h, a);
                x = First(b, c, d, e, TLanes.Broadcast(w[3]));
                a = TLanes.Add(a, x);
                e = Second(x, f, g, h);
                x = First(a, b, c, d, TLanes.Broadcast(w[4]));
                h = TLanes.Add(h, x);
                d = Second(x, e, f, g);
                x = First(h, a, b, c, TLanes.Broadcast(w[5]));
                g = TLanes.Add(g, x);
                c = Second(x, d, e, f);
                x = First(g, h, a, b, TLanes.Broadcast(w[6]));
                f = TLanes.Add(f, x);
                b = Second(x, c, d, e);
                x = First(f, g, h, a, TLanes.Broadcast(w[7]));
                e = TLanes.Add(e, x);
                a = Second(x, b, c, d);
            }
        }

        state[0] = TLanes.Add(state[0], a);
        state[1] = TLanes.Add(state[1], b);
        state[2] = TLanes.Add(state[2], c);
        state[3] = TLanes.Add(state[3], d);
        state[4] = TLanes.Add(state[4], e);
        state[5] = TLanes.Add(state[5], f);
        state[6] = TLanes.Add(state[6], g);
        state[7] = TLanes.Add(state[7], h);
    }

    /// <summary>T1, of the sum of a round's constant and its word of the schedule.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector First(TVector e, TVector f, TVector g, TVector h, TVector word)
    {
        TVector sum = TLanes.Xor(TLanes.RotateRight(e, 6), TLanes.RotateRight(e, 11), TLanes.RotateRight(e, 25));
        return TLanes.Add(TLanes.Add(TLanes.Add(h, word), TLanes.Choose(e, f, g)), sum);
    }

    /// <summary>T1 + T2.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Second(TVector first, TVector a, TVector b, TVector c)
    {
        TVector sum = TLanes.Xor(TLanes.RotateRight(a, 2), TLanes.RotateRight(a, 13), TLanes.RotateRight(a, 22));
        return TLanes.Add(TLanes.Add(first, TLanes.Majority(a, b, c)), sum);
    }

    /// <summary>A word of the schedule, of those sixteen, fifteen, seven and two places before it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Extend(TVector back16, TVector back15, TVector back7, TVector back2)
    {
        TVector near = TLanes.Xor(
            TLanes.RotateRight(back2, 17),
            TLanes.RotateRight(back2, 19),
            TLanes.ShiftRight(back2, 10)
        );
        TVector far = TLanes.Xor(
            TLanes.RotateRight(back15, 7),
            TLanes.RotateRight(back15, 18),
            TLanes.ShiftRight(back15, 3)
        );
        return TLanes.Add(TLanes.Add(back16, far), TLanes.Add(back7, near));
    }
}
