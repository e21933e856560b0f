using System.Runtime.InteropServices;

namespace Zexus.Cli;

/// <summary>
/// Standard output that knows when nobody reads it any more. The console stream of .NET drops what is written to a closed
/// pipe without a word, so `trace … | head` would go on to the end.
/// </summary>
internal sealed partial class StandardOutput : Stream
{
    private const int BrokenPipe = 32;
    private const int Interrupted = 4;
    private const int TryAgain = 11;

    private readonly Stream? _console = OperatingSystem.IsLinux() ? null : Console.OpenStandardOutput();

    public bool IsClosed { get; private set; }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> bytes)
    {
        if (_console is not null)
        {
            _console.Write(bytes);
            return;
        }

        while (bytes.Length > 0 && !IsClosed)
        {
            nint written = WriteTo(1, bytes, bytes.Length);
            if (written >= 0)
            {
                bytes = bytes[(int)written..];
                continue;
            }

            switch (Marshal.GetLastPInvokeError())
            {
                case BrokenPipe:
                    IsClosed = true;
                    break;
                case Interrupted:
                    break;
                case TryAgain:
                    Thread.Sleep(1);
                    break;
                case int error:
                    IsClosed = true;
                    throw Problem.File("cannot write the output: " + Marshal.GetPInvokeErrorMessage(error));
            }
        }
    }

    public override void Flush() => _console?.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint WriteTo(int descriptor, ReadOnlySpan<byte> bytes, nint count);
}
