namespace Everheap.Cli;

/// <summary>
/// The files that a program's standard output and error are appended to when its output is to be kept apart from others'. Regular files, because their length says
/// exactly how much of the output has arrived, whenever the program was killed.
/// </summary>
internal sealed class OutputFiles : IDisposable
{
    private OutputFiles(FileStream output, FileStream error)
    {
        Output = output;
        Error = error;
    }

    /// <summary>Standard output.</summary>
    public FileStream Output { get; }

    /// <summary>Standard error.</summary>
    public FileStream Error { get; }

    /// <summary>Opens a program's files.</summary>
    /// <param name="folder">The folder; made if there is none.</param>
    /// <param name="name">The program's name.</param>
    /// <returns>The files, at their ends.</returns>
    /// <exception cref="CommandException">The name cannot be a file's.</exception>
    public static OutputFiles Open(string folder, string name)
    {
        if (name is "." or ".." || name.AsSpan().IndexOfAny(Path.GetInvalidFileNameChars()) >= 0)
        {
            throw new CommandException(ExitCode.File, $"the program's name '{name}' cannot be a file's, as --output-dir needs; fork it under another name");
        }

        Directory.CreateDirectory(folder);
        FileStream output = Append(Path.Combine(folder, name + ".out"));
        try
        {
            return new OutputFiles(output, Append(Path.Combine(folder, name + ".err")));
        }
        catch
        {
            output.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Output.Dispose();
        Error.Dispose();
    }

    private static FileStream Append(string path) => new(path, FileMode.Append, FileAccess.Write, FileShare.Read | FileShare.Delete, bufferSize: 0);
}
