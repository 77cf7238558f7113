using System.Net.Sockets;

namespace Everheap.Cli.Transfer;

/// <summary>Lets a connection whose other end has vanished without a word fail within about a minute; one whose other end is merely slow lasts.</summary>
internal static class KeepAlive
{
    private const int IdleSeconds = 30;
    private const int IntervalSeconds = 10;
    private const int Retries = 3;

    /// <summary>Sets it.</summary>
    /// <param name="socket">The connection.</param>
    public static void Set(Socket socket)
    {
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, IdleSeconds);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, IntervalSeconds);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, Retries);
        socket.NoDelay = true;
    }
}
