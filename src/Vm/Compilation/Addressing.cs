namespace Everheap.Vm.Compilation;

/// <summary>How compiled code reaches a linear memory.</summary>
internal enum Addressing
{
    /// <summary>By pages, each found through the translation tables: a memory of any size, in bounded memory.</summary>
    Paged,

    /// <summary>In one piece: a memory that is pinned as a whole.</summary>
    Contiguous,

    /// <summary>In one piece, and stores leave no marks: no seal learns of them. For measuring what the marks cost, of a program that nobody keeps.</summary>
    Unmarked,
}
