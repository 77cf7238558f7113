namespace Everheap.Vm;

/// <summary>When what a program prints is shown.</summary>
public enum OutputMode
{
    /// <summary>As soon as the checkpoint that covers it is durable: a killed and resumed program neither loses nor repeats output.</summary>
    Committed,

    /// <summary>At once. After a kill, what was printed since the last checkpoint is printed again.</summary>
    Immediate,
}
