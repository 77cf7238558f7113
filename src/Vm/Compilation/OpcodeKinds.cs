using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>What kinds of instructions there are, for passes over a function.</summary>
internal static class OpcodeKinds
{
    extension(Opcode opcode)
    {
        /// <summary>Whether it opens a block that an end or a delegate closes.</summary>
        public bool OpensBlock => opcode is Opcode.Block or Opcode.Loop or Opcode.If or Opcode.TryTable or Opcode.Try;

        /// <summary>Whether it closes a block.</summary>
        public bool ClosesBlock => opcode is Opcode.End or Opcode.Delegate;

        /// <summary>Whether it is a call that comes back.</summary>
        public bool IsCall => opcode is Opcode.Call or Opcode.CallIndirect or Opcode.CallRef;

        /// <summary>Whether it is a call in the place of the function itself.</summary>
        public bool IsTailCall => opcode is Opcode.ReturnCall or Opcode.ReturnCallIndirect or Opcode.ReturnCallRef;

        /// <summary>Whether a function can be captured right behind it: a call, or the growth of a memory.</summary>
        public bool IsCallSite => opcode.IsCall || opcode == Opcode.MemoryGrow;

        /// <summary>Whether nothing falls through it.</summary>
        public bool NeverFallsThrough => opcode is Opcode.Br or Opcode.BrTable or Opcode.Return or Opcode.Unreachable or Opcode.Throw or Opcode.ThrowRef or Opcode.Rethrow
            || opcode.IsTailCall;

        /// <summary>Whether it branches to a label and otherwise falls through.</summary>
        public bool IsConditionalBranch => opcode is Opcode.BrIf or Opcode.BrOnNull or Opcode.BrOnNonNull;

        /// <summary>Whether it loads from or stores to a memory, and does nothing else with it.</summary>
        public bool IsAccess => MemoryAccess.IsAccess(opcode) || opcode is >= Opcode.I32AtomicLoad and <= Opcode.I64AtomicStore32;

        /// <summary>Whether it stores to a memory, and does nothing else with it.</summary>
        public bool IsStore => MemoryAccess.IsStore(opcode) || opcode is >= Opcode.I32AtomicStore and <= Opcode.I64AtomicStore32;

        /// <summary>Whether it is atomic.</summary>
        public bool IsAtomic => opcode is >= Opcode.MemoryAtomicNotify and <= Opcode.I64AtomicRmw32CmpxchgU;
    }
}
