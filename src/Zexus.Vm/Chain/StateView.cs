using System.Collections;
using System.Diagnostics.CodeAnalysis;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>The host's state with an execution's writes over it; neither changes any more.</summary>
internal sealed class StateView(IReadOnlyDictionary<string, Data> state, IReadOnlyDictionary<string, Data> written)
    : IReadOnlyDictionary<string, Data>
{
    private int _count = -1;

    public int Count
    {
        get
        {
            if (_count < 0)
            {
                int added = 0;
                foreach (string key in written.Keys)
                {
                    added += state.ContainsKey(key) ? 0 : 1;
                }

                _count = state.Count + added;
            }

            return _count;
        }
    }

    public IEnumerable<string> Keys => this.Select(pair => pair.Key);

    public IEnumerable<Data> Values => this.Select(pair => pair.Value);

    public Data this[string key] => TryGetValue(key, out Data? value) ? value : throw new KeyNotFoundException(key);

    public bool ContainsKey(string key) => written.ContainsKey(key) || state.ContainsKey(key);

    public bool TryGetValue(string key, [MaybeNullWhen(false)] out Data value) =>
        written.TryGetValue(key, out value) || state.TryGetValue(key, out value);

    public IEnumerator<KeyValuePair<string, Data>> GetEnumerator()
    {
        foreach (KeyValuePair<string, Data> pair in state)
        {
            yield return written.TryGetValue(pair.Key, out Data? value) ? new(pair.Key, value) : pair;
        }

        foreach (KeyValuePair<string, Data> pair in written)
        {
            if (!state.ContainsKey(pair.Key))
            {
                yield return pair;
            }
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
