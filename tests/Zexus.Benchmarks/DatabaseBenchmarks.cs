using System.Buffers.Binary;
using System.Text;
using BenchmarkDotNet.Attributes;
using Microsoft.Data.Sqlite;
using RocksDbSharp;

namespace Zexus.Benchmarks;

/// <summary>
/// What a store could be built on: the five rows that a token transfer leaves, committed so that they are on the disk when the call returns, and reads of
/// keys drawn from the state. SQLite as the store uses it; RocksDB with its log synced. On the disk that holds the temporary folder.
/// </summary>
/// <remarks><c>dotnet run -c Release --project tests/Zexus.Benchmarks -- --filter '*DatabaseBenchmarks*' --job short -i</c></remarks>
public class DatabaseBenchmarks
{
    private const int Block = 100;
    private const int ReadTogether = 1000;

    private readonly Random _random = new(7);
    private string _folder = "";
    private Peer _peer = null!;
    private long _number;

    public enum Kind
    {
        Sqlite,
        RocksDb,
    }

    [ParamsAllValues]
    public Kind Database { get; set; }

    /// <summary>Keys of the state.</summary>
    [Params(10_000, 1_000_000)]
    public int Keys { get; set; }

    [GlobalSetup]
    public void Open()
    {
        _folder = Directory.CreateTempSubdirectory("zexus-database-").FullName;
        _peer = Database switch
        {
            Kind.Sqlite => new SqlitePeer(_folder),
            Kind.RocksDb => new RocksDbPeer(_folder),
            _ => throw new InvalidOperationException($"{Database}"),
        };
        _peer.Commit(Enumerable.Range(0, Keys).Select(i => (Table.State, StateKey(i, 0), new byte[5])));
    }

    [GlobalCleanup]
    public void Close()
    {
        _peer.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Benchmark]
    public void Commit() => _peer.Commit(Rows(++_number));

    [Benchmark(OperationsPerInvoke = Block)]
    public void CommitInBlocks() => _peer.Commit(Enumerable.Range(0, Block).SelectMany(_ => Rows(++_number)));

    [Benchmark(OperationsPerInvoke = ReadTogether)]
    public int Read() => _peer.Read(Enumerable.Range(0, ReadTogether).Select(_ => StateKey(_random.Next(Keys), 0)));

    private IEnumerable<(Table, byte[], byte[])> Rows(long number)
    {
        for (int which = 0; which < 2; which++)
        {
            yield return (Table.State, StateKey((int)(((number * 7919) + which) % Keys), number), new byte[5]);
        }

        yield return (Table.Ledger, Number(number), new byte[90]);
        yield return (Table.Event, Number(number), new byte[70]);
        yield return (Table.Receipt, Number(number), new byte[592]);
    }

    /// <summary>In the order of keys, and of a key's executions.</summary>
    private static byte[] StateKey(int account, long number) =>
        [.. Encoding.UTF8.GetBytes($"token\0account{account}\0"), .. Number(number)];

    private static byte[] Number(long number)
    {
        byte[] bytes = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(bytes, number);
        return bytes;
    }

    private enum Table : byte
    {
        State,
        Ledger,
        Event,
        Receipt,
    }

    private abstract class Peer : IDisposable
    {
        /// <summary>In one transaction; on the disk when it returns.</summary>
        public abstract void Commit(IEnumerable<(Table Table, byte[] Key, byte[] Value)> rows);

        /// <summary>Bytes of what was found of the state, each of which is there.</summary>
        public abstract int Read(IEnumerable<byte[]> keys);

        public abstract void Dispose();

        protected static InvalidOperationException Missing() => new("a key that was written is not there");
    }

    private sealed class SqlitePeer : Peer
    {
        private readonly SqliteConnection _connection;
        private readonly SqliteCommand[] _inserts;
        private readonly SqliteCommand _begin;
        private readonly SqliteCommand _commit;
        private readonly SqliteCommand _select;

        public SqlitePeer(string folder)
        {
            _connection = new($"Data Source={Path.Combine(folder, "rows.db")};Pooling=False");
            _connection.Open();
            foreach (
                string statement in (string[])
                    [
                        "PRAGMA locking_mode = EXCLUSIVE",
                        "PRAGMA journal_mode = WAL",
                        "PRAGMA synchronous = FULL",
                        .. Enum.GetValues<Table>()
                            .Select(table => $"CREATE TABLE {table} (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID"),
                    ]
            )
            {
                using SqliteCommand command = Prepared(statement);
                _ = command.ExecuteScalar();
            }

            _inserts =
            [
                .. Enum.GetValues<Table>()
                    .Select(table => Prepared($"INSERT INTO {table} VALUES (?1, ?2)", "?1", "?2")),
            ];
            _begin = Prepared("BEGIN IMMEDIATE");
            _commit = Prepared("COMMIT");
            _select = Prepared("SELECT value FROM State WHERE key = ?1", "?1");
        }

        private SqliteCommand Prepared(string sql, params string[] parameters)
        {
            SqliteCommand command = _connection.CreateCommand();
            command.CommandText = sql;
            command.Parameters.AddRange(parameters.Select(name => new SqliteParameter(name, Array.Empty<byte>())));
            return command;
        }

        public override void Commit(IEnumerable<(Table Table, byte[] Key, byte[] Value)> rows)
        {
            _ = _begin.ExecuteNonQuery();
            foreach ((Table table, byte[] key, byte[] value) in rows)
            {
                SqliteCommand insert = _inserts[(int)table];
                insert.Parameters[0].Value = key;
                insert.Parameters[1].Value = value;
                _ = insert.ExecuteNonQuery();
            }

            _ = _commit.ExecuteNonQuery();
        }

        public override int Read(IEnumerable<byte[]> keys)
        {
            int sum = 0;
            foreach (byte[] key in keys)
            {
                _select.Parameters[0].Value = key;
                sum += _select.ExecuteScalar() is byte[] value ? value.Length : throw Missing();
            }

            return sum;
        }

        public override void Dispose()
        {
            Array.ForEach([.. _inserts, _begin, _commit, _select], command => command.Dispose());
            _connection.Dispose();
        }
    }

    private sealed class RocksDbPeer(string folder) : Peer
    {
        private readonly RocksDb _database = RocksDb.Open(
            new DbOptions().SetCreateIfMissing(true),
            Path.Combine(folder, "rows")
        );

        private readonly WriteOptions _synced = new WriteOptions().SetSync(true);

        public override void Commit(IEnumerable<(Table Table, byte[] Key, byte[] Value)> rows)
        {
            using WriteBatch batch = new();
            foreach ((Table table, byte[] key, byte[] value) in rows)
            {
                byte[] tagged = [(byte)table, .. key];
                _ = batch.Put(tagged, value);
            }

            _database.Write(batch, _synced);
        }

        public override int Read(IEnumerable<byte[]> keys) =>
            keys.Sum(key => (_database.Get(Tagged(key)) ?? throw Missing()).Length);

        private static byte[] Tagged(byte[] key) => [(byte)Table.State, .. key];

        public override void Dispose() => _database.Dispose();
    }
}
