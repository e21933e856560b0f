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
