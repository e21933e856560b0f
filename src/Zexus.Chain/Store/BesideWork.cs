namespace Zexus.Chain;

/// <summary>
/// Work for another thread. On a busy machine that may not have begun when the work is wanted: then who wants it does it himself, and waits for nobody.
/// </summary>
internal sealed class BesideWork
{
    private readonly Task _task;
    private int _isTaken;

    public BesideWork(Action work) =>
        _task = Task.Run(() =>
        {
            if (TryTakeBack())
            {
                work();
            }
        });

    /// <summary>True once: for who asks before the other thread has begun, which then never does.</summary>
    public bool TryTakeBack() => Interlocked.Exchange(ref _isTaken, 1) == 0;

    /// <summary>Throws what the work has thrown.</summary>
    public void Wait() => _task.GetAwaiter().GetResult();

    /// <summary>Whatever the end is.</summary>
    public void WaitForEnd() => _ = Task.WaitAny(_task);
}
