using Everheap.Engine.Storage;

namespace Everheap.Engine;

/// <content>Opening a store that may not be there yet.</content>
public sealed partial class HeapStore
{
    /// <summary>Opens the store in a file; if there is none, creates it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">How; null for the defaults. Not for reading only.</param>
    /// <remarks>
    /// None is there if there is no file, if it is empty, or if it is what a crash or kill in the middle of creating it left, which has no root and never had one: then it is created anew in its place.
    /// Any other file that is no store, or a damaged one, is refused and left as it is. Of several that do this at once one gets the store, and the others are told that it is held.
    /// </remarks>
    /// <exception cref="ArgumentException">The options are for reading only: nothing could be created.</exception>
    /// <exception cref="HeapLockedException">Someone else holds it.</exception>
    /// <exception cref="HeapFormatException">Not a store, or of a newer version.</exception>
    /// <exception cref="HeapCorruptedException">No root can be opened.</exception>
    /// <exception cref="HeapFullException">It is to be created, and there is no room.</exception>
    /// <exception cref="HeapFailedException">It is to be created, and the file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">This process may not read or write the file, or not create it.</exception>
    /// <exception cref="IOException">The path is that of no regular file, lies on a read-only file system or in a folder that is not there, or the file cannot be created or read.</exception>
    public static HeapStore OpenOrCreate(string path, HeapStoreOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ThrowIfNothingCanBeCreated(options);
        if (!File.Exists(path) && !Directory.Exists(path))
        {
            try
            {
                return Create(path, options);
            }
            catch (IOException) when (File.Exists(path))
            {
                // Somebody else was faster. Whether he has it still shows when it is opened.
            }
        }

        return Open(path, options, medium =>
        {
            if (UnfinishedCreation.IsOn(new StoreChannel(medium)))
            {
                medium.FlushName(); // The crash may have come before its creator did.
            }

            return OpenOrCreate(medium, options);
        });
    }

    /// <summary>Opens the store on a medium, which the store disposes of; if there is none, creates it. See <see cref="OpenOrCreate(string, HeapStoreOptions?)"/>.</summary>
    /// <param name="medium">The medium.</param>
    /// <param name="options">How; null for the defaults. Not for reading only.</param>
    /// <exception cref="ArgumentException">The options are for reading only: nothing could be created.</exception>
    /// <exception cref="HeapFormatException">Not a store, or of a newer version.</exception>
    /// <exception cref="HeapCorruptedException">No root can be opened.</exception>
    /// <exception cref="HeapFullException">It is to be created, and there is no room.</exception>
    /// <exception cref="HeapFailedException">It is to be created, and the medium cannot be written.</exception>
    /// <exception cref="IOException">The medium cannot be read.</exception>
    public static HeapStore OpenOrCreate(IStorageMedium medium, HeapStoreOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(medium);
        ThrowIfNothingCanBeCreated(options);
        options = Checked(options);
        var channel = new StoreChannel(medium, options.Logger);
        if (!UnfinishedCreation.IsOn(channel))
        {
            return Open(medium, options);
        }

        if (channel.Length > 0 && !channel.TryResize(0))
        {
            throw new HeapFullException($"{medium.Name}: what an interrupted creation left could not be cut off. Delete the file.");
        }

        return Create(medium, options);
    }

    private static void ThrowIfNothingCanBeCreated(HeapStoreOptions? options)
    {
        if (options is { ReadOnly: true })
        {
            throw new ArgumentException("For reading only, a store can be opened, and not created.", nameof(options));
        }
    }
}
