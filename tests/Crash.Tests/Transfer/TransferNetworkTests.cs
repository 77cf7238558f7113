using System.Net.Sockets;
using System.Security.Cryptography;

namespace Everheap.Crash.Tests.Transfer;

/// <summary><c>send --to</c> and <c>receive --listen</c>, over TLS on the loopback interface: who is let in, what is said, what goes on after a break.</summary>
[TestFixture]
internal sealed class TransferNetworkTests
{
    private ScratchFolder _scratch = null!;

    [OneTimeSetUp]
    public void RequireTls()
    {
        try
        {
            ECDsa.Create().Dispose();
        }
        catch (Exception exception) when (exception is TypeInitializationException or DllNotFoundException or PlatformNotSupportedException)
        {
            Assert.Ignore($"skipped: there is no TLS on this machine ({exception.Message})");
        }
    }

    [SetUp]
    public void MakeFiles()
    {
        _scratch = new ScratchFolder();
        TransferFiles.Create(_scratch["a.heap"], 3);
        File.WriteAllText(_scratch["token"], Convert.ToHexString(RandomNumberGenerator.GetBytes(32)) + "\n");
    }

    [TearDown]
    public void RemoveFolder() => _scratch.Dispose();

    [Test]
    public void A_checkpoint_arrives_at_a_receiver_whose_fingerprint_is_known_and_a_difference_after_it()
    {
        using (Listener listener = Listen())
        {
            CommandResult sent = SendTo(listener, "--checkpoint", "1");
            Assert.That(sent.ExitCode, Is.Zero, sent.Error);
            Assert.That(sent.Output, Does.StartWith($"a.heap: heap 'data', checkpoint 1: sent to {listener.Address}"));
            CommandResult received = listener.End();
            Assert.That(received.ExitCode, Is.Zero, received.Error);
            Assert.That(received.Output, Does.Contain("checkpoint 1: 768 pages added"));
        }

        using (Listener listener = Listen())
        {
            Assert.That(SendTo(listener, "--from", "1").ExitCode, Is.Zero);
            Assert.That(listener.End().Output, Does.Contain("256 changed, 256 removed"));
        }

        TransferFiles.AssertSame(_scratch["a.heap"], _scratch["b.heap"]);
    }

    [Test]
    public void A_checkpoint_that_is_there_already_is_not_sent_again_and_that_is_no_error()
    {
        for (int i = 0; i < 2; i++)
        {
            using Listener listener = Listen();
            CommandResult sent = SendTo(listener);
            Assert.That(sent.ExitCode, Is.Zero, sent.Error);
            Assert.That(sent.Output, Does.Contain(i == 0 ? "durable there" : "already"));
            Assert.That(listener.End().ExitCode, Is.Zero);
        }
    }

    [Test]
    public void Whoever_has_another_token_or_says_something_else_is_turned_away_and_the_listener_waits_on()
    {
        using Listener listener = Listen();
        File.WriteAllText(_scratch["other"], "a secret of 16 characters and more");
        CommandResult other = Run("send", "a.heap", "--to", listener.Address, "--token-file", "other", "--fingerprint", listener.Fingerprint);
        Assert.That(other.ExitCode, Is.EqualTo(5));
        Assert.That(other.Error, Does.StartWith("everheap: ").And.Contain("the receiver has another token"));
        using (TcpClient stranger = new())
        {
            stranger.Connect("127.0.0.1", listener.Port);
            stranger.GetStream().Write("GET / HTTP/1.0\r\n\r\n"u8);
        }

        Assert.That(SendTo(listener).ExitCode, Is.Zero);
        CommandResult received = listener.End();
        Assert.That(received.ExitCode, Is.Zero);
        Assert.That(received.Error, Does.Contain("turned away: it does not know the token"));
        Assert.That(NumberOf("turned away", received.Error), Is.EqualTo(2));
        TransferFiles.AssertSame(_scratch["a.heap"], _scratch["b.heap"]);
    }

    [Test]
    public void A_receiver_with_another_certificate_than_was_named_or_one_that_nobody_vouches_for_gets_nothing()
    {
        using Listener listener = Listen();
        string wrong = new([.. listener.Fingerprint.Select(digit => digit == '0' ? '1' : '0')]);
        CommandResult named = Run("send", "a.heap", "--to", listener.Address, "--token-file", "token", "--fingerprint", wrong);
        Assert.That(named.ExitCode, Is.EqualTo(5));
        Assert.That(named.Error, Does.Contain("has another fingerprint").And.Contain(listener.Fingerprint));
        CommandResult unnamed = Run("send", "a.heap", "--to", listener.Address, "--token-file", "token");
        Assert.That(unnamed.ExitCode, Is.EqualTo(5));
        Assert.That(unnamed.Error, Does.Contain("the system does not trust").And.Contain($"{listener.Fingerprint}, give it with --fingerprint"));
        listener.Interrupt();
        Assert.That(_scratch["b.heap"], Does.Not.Exist, "nothing came");
    }

    [Test]
    public void A_certificate_file_is_made_once_for_its_owner_alone_and_then_used_again()
    {
        string first;
        using (Listener listener = Listen("--certificate", "receiver.pfx"))
        {
            first = listener.Fingerprint;
            listener.Interrupt();
        }

        if (!OperatingSystem.IsWindows())
        {
            Assert.That(File.GetUnixFileMode(_scratch["receiver.pfx"]), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
        }

        using (Listener listener = Listen("--certificate", "receiver.pfx"))
        {
            Assert.That(listener.Fingerprint, Is.EqualTo(first));
            Assert.That(SendTo(listener).ExitCode, Is.Zero);
            listener.End();
        }

        File.WriteAllText(_scratch["text.pfx"], "this is no certificate");
        CommandResult refused = Run("receive", "c.heap", "--listen", "127.0.0.1:0", "--token-file", "token", "--certificate", "text.pfx");
        Assert.That(refused.ExitCode, Is.EqualTo(3));
        Assert.That(refused.Error, Does.Contain("text.pfx: not a PKCS #12 file"));
    }

    [Test]
    public void A_receiver_that_refuses_says_why_to_the_sender()
    {
        TransferFiles.Create(_scratch["b.heap"], 1, seed: 2);
        using Listener listener = Listen();
        CommandResult sent = SendTo(listener);
        Assert.That(sent.ExitCode, Is.EqualTo(5));
        Assert.That(sent.Error, Does.Contain("refuses:").And.Contain("there is a heap 'data' already"));
        CommandResult received = listener.End();
        Assert.That(received.ExitCode, Is.EqualTo(3));
        Assert.That(received.Error, Does.Contain("there is a heap 'data' already"));
    }

    [Test]
    public void Nobody_there_is_one_line_and_exit_code_5()
    {
        CommandResult sent = Run("send", "a.heap", "--to", "127.0.0.1:1", "--token-file", "token", "--fingerprint", new string('0', 64));
        Assert.That(sent.ExitCode, Is.EqualTo(5));
        Assert.That(sent.Error, Does.StartWith("everheap: 127.0.0.1:1: no connection"));
        File.WriteAllText(_scratch["short"], "too short\n");
        CommandResult shortToken = Run("send", "a.heap", "--to", "127.0.0.1:1", "--token-file", "short");
        Assert.That(shortToken.ExitCode, Is.EqualTo(3));
        Assert.That(shortToken.Error, Does.Contain("a token has 16 to 4096 bytes, and this one 9"));
    }

    private static int NumberOf(string part, string text) => (text.Length - text.Replace(part, "", StringComparison.Ordinal).Length) / part.Length;

    private Listener Listen(params string[] options) => Listener.Start(_scratch, "b.heap", options);

    private CommandResult SendTo(Listener listener, params string[] options) =>
        Run(["send", "a.heap", "--to", listener.Address, "--token-file", "token", "--fingerprint", listener.Fingerprint, .. options]);

    private CommandResult Run(params string[] arguments) => EverheapProcess.Run(_scratch.Path, arguments);
}
