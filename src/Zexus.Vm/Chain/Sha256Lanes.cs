using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Zexus.Vm;

/// <summary>What SHA-256 needs of a vector of 32-bit words, one message in each lane.</summary>
internal unsafe interface ILanes<TVector>
    where TVector : unmanaged
{
    public static abstract bool IsSupported { get; }

    public static abstract TVector Broadcast(uint word);

    public static abstract TVector Add(TVector left, TVector right);

    public static abstract TVector Xor(TVector a, TVector b, TVector c);

    /// <summary>The bits of b where a has ones, else those of c.</summary>
    public static abstract TVector Choose(TVector a, TVector b, TVector c);

    public static abstract TVector Majority(TVector a, TVector b, TVector c);

    public static abstract TVector RotateRight(TVector words, [ConstantExpected] byte bits);

    public static abstract TVector ShiftRight(TVector words, [ConstantExpected] byte bits);

    /// <summary>The sixteen words of a block of each message, big-endian in it; the messages lie a stride of bytes apart.</summary>
    public static abstract void LoadBlocks(byte* blocks, nint stride, TVector* words);

    /// <summary>The words at even places, and those at odd ones, of two vectors that follow one another.</summary>
    public static abstract void Deinterleave(uint* words, out TVector even, out TVector odd);

    /// <summary>The digits, as ASCII, of the low sixteen bits of each lane, the highest digit in the highest byte.</summary>
    public static abstract TVector HexDigits(TVector words);
}

/// <summary>One message, in a word of any processor.</summary>
internal readonly unsafe struct ScalarLane : ILanes<uint>
{
    public static bool IsSupported => true;

    public static uint Broadcast(uint word) => word;

    public static uint Add(uint left, uint right) => left + right;

    public static uint Xor(uint a, uint b, uint c) => a ^ b ^ c;

    public static uint Choose(uint a, uint b, uint c) => c ^ (a & (b ^ c));

    public static uint Majority(uint a, uint b, uint c) => (a & b) | (c & (a | b));

    public static uint RotateRight(uint words, [ConstantExpected] byte bits) => BitOperations.RotateRight(words, bits);

    public static uint ShiftRight(uint words, [ConstantExpected] byte bits) => words >> bits;

    public static void LoadBlocks(byte* blocks, nint stride, uint* words)
    {
        for (int w = 0; w < Sha256.BlockWords; w++)
        {
            words[w] = BinaryPrimitives.ReverseEndianness(Unsafe.ReadUnaligned<uint>(blocks + (w * sizeof(uint))));
        }
    }

    public static void Deinterleave(uint* words, out uint even, out uint odd)
    {
        even = words[0];
        odd = words[1];
    }

    public static uint HexDigits(uint words)
    {
        uint digits = words & 0xFFFF;
        digits = (digits | (digits << 8)) & 0x00FF00FF;
        digits = (digits | (digits << 4)) & 0x0F0F0F0F;
        uint letters = ((digits + 0x06060606) >> 4) & 0x01010101;
        return digits + 0x30303030 + (letters * ('a' - '0' - 10));
    }
}

/// <summary>Eight messages.</summary>
internal readonly unsafe struct Avx2Lanes : ILanes<Vector256<uint>>
{
    public static bool IsSupported => Avx2.IsSupported;

    public static Vector256<uint> Broadcast(uint word) => Vector256.Create(word);

    public static Vector256<uint> Add(Vector256<uint> left, Vector256<uint> right) => left + right;

    public static Vector256<uint> Xor(Vector256<uint> a, Vector256<uint> b, Vector256<uint> c) => a ^ b ^ c;

    public static Vector256<uint> Choose(Vector256<uint> a, Vector256<uint> b, Vector256<uint> c) => c ^ (a & (b ^ c));

    public static Vector256<uint> Majority(Vector256<uint> a, Vector256<uint> b, Vector256<uint> c) =>
        (a & b) | (c & (a | b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> RotateRight(Vector256<uint> words, [ConstantExpected] byte bits) =>
        (words >>> bits) | (words << (32 - bits));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> ShiftRight(Vector256<uint> words, [ConstantExpected] byte bits) => words >>> bits;

    /// <summary>Transposes four rows to four columns in each half of the vectors, then joins the halves.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LoadBlocks(byte* blocks, nint stride, Vector256<uint>* words)
    {
        const int group = 4;
        Vector256<uint>* columns = stackalloc Vector256<uint>[2 * group];
        for (int half = 0; half < 2; half++, blocks += sizeof(Vector256<uint>), words += 2 * group)
        {
            for (int i = 0; i < 2 * group; i += group)
            {
                byte* row = blocks + (i * stride);
                Vector256<uint> a = Row(row);
                Vector256<uint> b = Row(row + stride);
                Vector256<uint> c = Row(row + (2 * stride));
                Vector256<uint> d = Row(row + (3 * stride));
                Vector256<ulong> low = Avx2.UnpackLow(a, b).AsUInt64();
                Vector256<ulong> high = Avx2.UnpackHigh(a, b).AsUInt64();
                Vector256<ulong> otherLow = Avx2.UnpackLow(c, d).AsUInt64();
                Vector256<ulong> otherHigh = Avx2.UnpackHigh(c, d).AsUInt64();
                columns[i] = Avx2.UnpackLow(low, otherLow).AsUInt32();
                columns[i + 1] = Avx2.UnpackHigh(low, otherLow).AsUInt32();
                columns[i + 2] = Avx2.UnpackLow(high, otherHigh).AsUInt32();
                columns[i + 3] = Avx2.UnpackHigh(high, otherHigh).AsUInt32();
            }

            for (int i = 0; i < group; i++)
            {
                words[i] = Avx2.Permute2x128(columns[i], columns[group + i], 0x20);
                words[group + i] = Avx2.Permute2x128(columns[i], columns[group + i], 0x31);
            }
        }
    }

    private static Vector256<uint> Row(byte* words) =>
        Avx2.Shuffle(Vector256.Load(words), Vector256.Create(Sha256.BigEndianWords, Sha256.BigEndianWords)).AsUInt32();

    public static void Deinterleave(uint* words, out Vector256<uint> even, out Vector256<uint> odd)
    {
        Vector256<float> low = Vector256.Load(words).AsSingle();
        Vector256<float> high = Vector256.Load(words + Vector256<uint>.Count).AsSingle();
        even = Avx2.Permute4x64(Avx.Shuffle(low, high, 0b10_00_10_00).AsUInt64(), 0b11_01_10_00).AsUInt32();
        odd = Avx2.Permute4x64(Avx.Shuffle(low, high, 0b11_01_11_01).AsUInt64(), 0b11_01_10_00).AsUInt32();
    }

    public static Vector256<uint> HexDigits(Vector256<uint> words)
    {
        Vector256<uint> digits = words & Vector256.Create(0xFFFFu);
        digits = (digits | (digits << 8)) & Vector256.Create(0x00FF00FFu);
        digits = (digits | (digits << 4)) & Vector256.Create(0x0F0F0F0Fu);
        Vector128<byte> alphabet = Vector128.Create("0123456789abcdef"u8);
        return Avx2.Shuffle(Vector256.Create(alphabet, alphabet), digits.AsByte()).AsUInt32();
    }
}

/// <summary>Sixteen messages.</summary>
internal readonly unsafe struct Avx512Lanes : ILanes<Vector512<uint>>
{
    public static bool IsSupported => Avx512BW.IsSupported;

    public static Vector512<uint> Broadcast(uint word) => Vector512.Create(word);

    public static Vector512<uint> Add(Vector512<uint> left, Vector512<uint> right) => left + right;

    // The last operand is the truth table: bit 4a + 2b + c.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Xor(Vector512<uint> a, Vector512<uint> b, Vector512<uint> c) =>
        Avx512F.TernaryLogic(a, b, c, 0b1001_0110);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Choose(Vector512<uint> a, Vector512<uint> b, Vector512<uint> c) =>
        Avx512F.TernaryLogic(a, b, c, 0b1100_1010);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Majority(Vector512<uint> a, Vector512<uint> b, Vector512<uint> c) =>
        Avx512F.TernaryLogic(a, b, c, 0b1110_1000);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> RotateRight(Vector512<uint> words, [ConstantExpected] byte bits) =>
        Avx512F.RotateRight(words, bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> ShiftRight(Vector512<uint> words, [ConstantExpected] byte bits) =>
        Avx512F.ShiftRightLogical(words, bits);

    /// <summary>Transposes four rows to four columns in each quarter of the vectors, then joins the quarters.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LoadBlocks(byte* blocks, nint stride, Vector512<uint>* words)
    {
        const int group = 4;
        Vector512<uint>* columns = stackalloc Vector512<uint>[group * group];
        for (int i = 0; i < group * group; i += group)
        {
            byte* row = blocks + (i * stride);
            Vector512<uint> a = Row(row);
            Vector512<uint> b = Row(row + stride);
            Vector512<uint> c = Row(row + (2 * stride));
            Vector512<uint> d = Row(row + (3 * stride));
            Vector512<ulong> low = Avx512F.UnpackLow(a, b).AsUInt64();
            Vector512<ulong> high = Avx512F.UnpackHigh(a, b).AsUInt64();
            Vector512<ulong> otherLow = Avx512F.UnpackLow(c, d).AsUInt64();
            Vector512<ulong> otherHigh = Avx512F.UnpackHigh(c, d).AsUInt64();
            columns[i] = Avx512F.UnpackLow(low, otherLow).AsUInt32();
            columns[i + 1] = Avx512F.UnpackHigh(low, otherLow).AsUInt32();
            columns[i + 2] = Avx512F.UnpackLow(high, otherHigh).AsUInt32();
            columns[i + 3] = Avx512F.UnpackHigh(high, otherHigh).AsUInt32();
        }

        for (int i = 0; i < group; i++)
        {
            Vector512<uint> a = columns[i];
            Vector512<uint> b = columns[group + i];
            Vector512<uint> c = columns[(2 * group) + i];
            Vector512<uint> d = columns[(3 * group) + i];
            Vector512<uint> first = Avx512F.Shuffle4x128(a, b, 0b01_00_01_00);
            Vector512<uint> second = Avx512F.Shuffle4x128(c, d, 0b01_00_01_00);
            words[i] = Avx512F.Shuffle4x128(first, second, 0b10_00_10_00);
            words[group + i] = Avx512F.Shuffle4x128(first, second, 0b11_01_11_01);
            first = Avx512F.Shuffle4x128(a, b, 0b11_10_11_10);
            second = Avx512F.Shuffle4x128(c, d, 0b11_10_11_10);
            words[(2 * group) + i] = Avx512F.Shuffle4x128(first, second, 0b10_00_10_00);
            words[(3 * group) + i] = Avx512F.Shuffle4x128(first, second, 0b11_01_11_01);
        }
    }

    private static Vector512<uint> Row(byte* words)
    {
        Vector256<byte> twice = Vector256.Create(Sha256.BigEndianWords, Sha256.BigEndianWords);
        return Avx512BW.Shuffle(Vector512.Load(words), Vector512.Create(twice, twice)).AsUInt32();
    }

    public static void Deinterleave(uint* words, out Vector512<uint> even, out Vector512<uint> odd)
    {
        Vector512<uint> low = Vector512.Load(words);
        Vector512<uint> high = Vector512.Load(words + Vector512<uint>.Count);
        Vector512<uint> places = Vector512<uint>.Indices << 1;
        even = Avx512F.PermuteVar16x32x2(low, places, high);
        odd = Avx512F.PermuteVar16x32x2(low, places | Vector512<uint>.One, high);
    }

    public static Vector512<uint> HexDigits(Vector512<uint> words)
    {
        Vector512<uint> digits = words & Vector512.Create(0xFFFFu);
        digits = (digits | (digits << 8)) & Vector512.Create(0x00FF00FFu);
        digits = (digits | (digits << 4)) & Vector512.Create(0x0F0F0F0Fu);
        Vector128<byte> alphabet = Vector128.Create("0123456789abcdef"u8);
        Vector256<byte> twice = Vector256.Create(alphabet, alphabet);
        return Avx512BW.Shuffle(Vector512.Create(twice, twice), digits.AsByte()).AsUInt32();
    }
}
