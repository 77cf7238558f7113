namespace Everheap.Cli.Torture.Model;

/// <summary>How a page was found.</summary>
internal enum PageState : byte
{
    /// <summary>Every byte is of the writes that it claims to show.</summary>
    Whole,

    /// <summary>It was served, and its bytes are of no write.</summary>
    Damaged,

    /// <summary>The store refused to serve it.</summary>
    Refused,
}

/// <summary>A page as a worker found it.</summary>
/// <param name="Number">Its number.</param>
/// <param name="State">How it was found.</param>
/// <param name="Value">What it claims to show.</param>
internal readonly record struct FoundPage(ulong Number, PageState State, PageValue Value)
{
    /// <summary>In words.</summary>
    public string Described => State switch
    {
        PageState.Whole => $"it holds {Value}",
        PageState.Damaged => $"it was served with bytes that nobody wrote (it claims {Value})",
        _ => "it was refused",
    };
}
