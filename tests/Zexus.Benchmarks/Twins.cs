using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Zexus.Benchmarks;

/// <summary>
/// The kernels written by hand in checked C#. Two ways where they differ: with 16-byte values in the collections, as the
/// engine has, and as one would write it, with the types of the base class library and whatever the compiler inlines.
/// </summary>
public static class Twins
{
    /// <summary>With 16-byte values; null when there is no such kernel.</summary>
    public static Func<long, long>? Values(string kernel) =>
        kernel switch
        {
            "fibonacci" => Fibonacci,
            "sieve" => SieveOfValues,
            "map" => MapOfValues,
            "matrix" => MatrixOfValues,
            _ => Idiomatic(kernel),
        };

    /// <summary>As one would write it; null when there is no such kernel.</summary>
    public static Func<long, long>? Idiomatic(string kernel) =>
        kernel switch
        {
            "integer-loop" => IntegerLoop,
            "fibonacci" => FibonacciInlined,
            "sieve" => Sieve,
            "map" => Map,
            "string-append" => StringAppend,
            "string-join" => StringJoin,
            "matrix" => Matrix,
            "transfer" => Transfer,
            "mining" => Mining,
            "closures" => Closures,
            "throw" => Throw,
            _ => null,
        };

    private static long IntegerLoop(long n)
    {
        checked
        {
            long sum = 0;
            for (long i = 0; i < n; i++)
            {
                sum += i * 3 % 7;
            }

            return sum;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static long Fibonacci(long n) => n < 2 ? n : checked(Fibonacci(n - 1) + Fibonacci(n - 2));

    private static long FibonacciInlined(long n) =>
        n < 2 ? n : checked(FibonacciInlined(n - 1) + FibonacciInlined(n - 2));

    private static long Sieve(long n)
    {
        checked
        {
            List<bool> prime = [];
            for (long i = 0; i < n; i++)
            {
                prime.Add(true);
            }

            for (long i = 2; i * i < n; i++)
            {
                if (prime[(int)i])
                {
                    for (long j = i * i; j < n; j += i)
                    {
                        prime[(int)j] = false;
                    }
                }
            }

            long count = 0;
            for (long i = 2; i < n; i++)
            {
                if (prime[(int)i])
                {
                    count++;
                }
            }

            return count;
        }
    }

    private static long SieveOfValues(long n)
    {
        checked
        {
            List<Value> prime = [];
            for (long i = 0; i < n; i++)
            {
                prime.Add(new Value(true));
            }

            for (long i = 2; i * i < n; i++)
            {
                if (prime[(int)i].IsTrue)
                {
                    for (long j = i * i; j < n; j += i)
                    {
                        prime[(int)j] = new Value(false);
                    }
                }
            }

            long count = 0;
            for (long i = 2; i < n; i++)
            {
                if (prime[(int)i].IsTrue)
                {
                    count++;
                }
            }

            return count;
        }
    }

    private static long Map(long n)
    {
        checked
        {
            List<string> keys = [];
            Dictionary<string, long> map = [];
            for (int i = 0; i < 1000; i++)
            {
                string key = "key" + i.ToString(CultureInfo.InvariantCulture);
                keys.Add(key);
                map[key] = 0;
            }

            for (long i = 0; i < n; i++)
            {
                string key = keys[(int)(i % 1000)];
                map[key] = map[key] + 1;
            }

            long total = 0;
            for (int i = 0; i < 1000; i++)
            {
                total += (i + 1) * map[keys[i]];
            }

            return total;
        }
    }

    private static long MapOfValues(long n)
    {
        checked
        {
            List<string> keys = [];
            Dictionary<string, Value> map = [];
            for (int i = 0; i < 1000; i++)
            {
                string key = "key" + i.ToString(CultureInfo.InvariantCulture);
                keys.Add(key);
                map[key] = new Value(0L);
            }

            for (long i = 0; i < n; i++)
            {
                string key = keys[(int)(i % 1000)];
                map[key] = new Value(map[key].Int + 1);
            }

            long total = 0;
            for (int i = 0; i < 1000; i++)
            {
                total += (i + 1) * map[keys[i]].Int;
            }

            return total;
        }
    }

    private static long StringAppend(long n)
    {
        checked
        {
            long total = 0;
            for (long done = 0; done < n; done += 20_000)
            {
                StringBuilder builder = new();
                for (int i = 0; i < 20_000; i++)
                {
                    builder.Append('x');
                }

                string text = builder.ToString();
                if (text[10_000] == 'x')
                {
                    total += text.Length;
                }
            }

            return total;
        }
    }

    private static long StringJoin(long n)
    {
        checked
        {
            long total = 0;
            for (long done = 0; done < n; done += 50_000)
            {
                List<string> parts = [];
                for (int i = 0; i < 50_000; i++)
                {
                    parts.Add("item " + i.ToString(CultureInfo.InvariantCulture));
                }

                total += string.Join(',', parts).Length;
            }

            return total;
        }
    }

    private static long Matrix(long n)
    {
        static double[][] Make(int size, int seed)
        {
            double[][] rows = new double[size][];
            for (int i = 0; i < size; i++)
            {
                rows[i] = new double[size];
                for (int j = 0; j < size; j++)
                {
                    rows[i][j] = ((i + (j * 3) + seed) % 7) + 0.5;
                }
            }

            return rows;
        }

        int size = (int)n;
        double[][] a = Make(size, 0);
        double[][] b = Make(size, 1);
        double[][] c = new double[size][];
        double total = 0;
        for (int i = 0; i < size; i++)
        {
            double[] row = new double[size];
            double[] left = a[i];
            for (int j = 0; j < size; j++)
            {
                double sum = 0;
                for (int k = 0; k < size; k++)
                {
                    sum += left[k] * b[k][j];
                }

                row[j] = sum;
                total += sum;
            }

            c[i] = row;
        }

        GC.KeepAlive(c);
        return checked((long)(total * 8));
    }

    private static long MatrixOfValues(long n)
    {
        static List<List<Value>> Make(int size, int seed)
        {
            List<List<Value>> rows = [];
            for (int i = 0; i < size; i++)
            {
                List<Value> row = [];
                for (int j = 0; j < size; j++)
                {
                    row.Add(new Value(((i + (j * 3) + seed) % 7) + 0.5));
                }

                rows.Add(row);
            }

            return rows;
        }

        int size = (int)n;
        List<List<Value>> a = Make(size, 0);
        List<List<Value>> b = Make(size, 1);
        List<List<Value>> c = [];
        double total = 0;
        for (int i = 0; i < size; i++)
        {
            List<Value> row = [];
            List<Value> left = a[i];
            for (int j = 0; j < size; j++)
            {
                double sum = 0;
                for (int k = 0; k < size; k++)
                {
                    sum += left[k].Float * b[k][j].Float;
                }

                row.Add(new Value(sum));
                total += sum;
            }

            c.Add(row);
        }

        GC.KeepAlive(c);
        return checked((long)(total * 8));
    }

    private static long Transfer(long n)
    {
        checked
        {
            List<string> names = [];
            Ledger ledger = new();
            for (int i = 0; i < 100; i++)
            {
                string name = "account" + i.ToString(CultureInfo.InvariantCulture);
                names.Add(name);
                ledger.State[name] = 1_000_000;
            }

            for (long i = 0; i < n; i++)
            {
                ledger.Transfer(names[(int)(i % 100)], names[(int)(((i * 7) + 3) % 100)], 1 + (i % 10));
            }

            long total = 0;
            for (int i = 0; i < 100; i++)
            {
                total += (i + 1) * ledger.State[names[i]];
            }

            return total;
        }
    }

    private static long Mining(long n)
    {
        checked
        {
            long hits = 0;
            for (long nonce = 0; nonce < n; nonce++)
            {
                if (
                    Sha256("block:" + nonce.ToString(CultureInfo.InvariantCulture))
                        .StartsWith("00", StringComparison.Ordinal)
                )
                {
                    hits++;
                }
            }

            return hits;
        }
    }

    /// <summary>The hash of a text, in hexadecimal.</summary>
    public static string Sha256(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private static long Closures(long n)
    {
        static Func<long, long> Adder(long step) => x => checked(x + step);

        static Func<long, long> Counter()
        {
            long count = 0;
            return step => checked(count += step);
        }
        checked
        {
            Func<long, long> counter = Counter();
            long total = 0;
            for (long i = 0; i < n; i++)
            {
                total += Adder(i % 10)(i);
                counter(1);
            }

            return total + counter(0);
        }
    }

    private static long Throw(long n)
    {
        checked
        {
            long total = 0;
            for (long i = 0; i < n; i++)
            {
                try
                {
                    total += Check(i);
                }
                catch (Thrown thrown)
                {
                    total += thrown.Value;
                }
            }

            return total;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static long Check(long i) => i % 2 == 0 ? throw new Thrown(3) : 1;

    private sealed class Thrown(long value) : Exception
    {
        public long Value { get; } = value;
    }

    private sealed class Ledger
    {
        private readonly List<Event> _events = [];
        private readonly List<(string Key, long Before)> _journal = [];

        public Dictionary<string, long> State { get; } = [];

        public void Transfer(string from, string to, long amount)
        {
            long balance = State[from];
            if (balance < amount)
            {
                throw new InvalidOperationException("insufficient funds");
            }

            Write(from, checked(balance - amount));
            Write(to, checked(State[to] + amount));
            _events.Add(new Event(from, to, amount));
            _journal.Clear();
        }

        private void Write(string key, long value)
        {
            _journal.Add((key, State[key]));
            State[key] = value;
        }
    }

    private sealed record Event(string From, string To, long Amount);

    /// <summary>A tag and a payload, as the engine's.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Value
    {
        private readonly long _tag;
        private readonly long _payload;

        public Value(bool value)
        {
            _tag = 1;
            _payload = value ? 1 : 0;
        }

        public Value(long value)
        {
            _tag = 2;
            _payload = value;
        }

        public Value(double value)
        {
            _tag = 3;
            _payload = BitConverter.DoubleToInt64Bits(value);
        }

        public bool IsTrue => _tag == 1 ? _payload != 0 : throw new InvalidCastException();

        public long Int => _tag == 2 ? _payload : throw new InvalidCastException();

        public double Float => _tag == 3 ? BitConverter.Int64BitsToDouble(_payload) : throw new InvalidCastException();
    }
}
