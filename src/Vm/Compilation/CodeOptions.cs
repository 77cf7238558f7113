namespace Everheap.Vm.Compilation;

/// <summary>What a module's compiled code depends on beside the module.</summary>
/// <param name="Addressing">How the code reaches the memory.</param>
/// <param name="StressInterval">Where greater than zero, safepoints count down from this and then ask for a capture.</param>
/// <param name="ChunkBytes">Bytes of code after which a chunk ends.</param>
/// <param name="TieredBytes">Bytes of code from which a module's functions are compiled in a hurry at first (<see cref="Tiering"/>).</param>
/// <param name="HotCalls">How often such a function is called, or its loops go round, before it is optimised.</param>
internal readonly record struct CodeOptions(Addressing Addressing, int StressInterval, int ChunkBytes, int TieredBytes, int HotCalls);
