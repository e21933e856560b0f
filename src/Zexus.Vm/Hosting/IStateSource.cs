using System.Diagnostics.CodeAnalysis;
using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// A state that is looked at when a program reads it, so that an execution costs what it reads, whatever the size of the state.
/// It does not change while it is in the options of a <see cref="Vm"/>: a key may be asked for once, and the answer kept.
/// </summary>
public interface IStateSource
{
    /// <summary>What stands under a key; false when nothing does. An exception ends the execution and reaches the host.</summary>
    /// <param name="key">Any String of a program.</param>
    /// <param name="value">Plain data within the limits of the programs that run on it.</param>
    bool TryRead(string key, [MaybeNullWhen(false)] out Data value);

    /// <summary>
    /// What the value under a key comes to, where <see cref="TryRead"/> would have to make it; nothing where it is in memory or there is none.
    /// Asked before it, so that nothing is made that an execution cannot pay for or has no memory for.
    /// </summary>
    /// <param name="key">Any String of a program.</param>
    /// <param name="most">The weight above which the value is not asked for: then its memory does not matter.</param>
    DataSize Measure(string key, long most) => default;
}
