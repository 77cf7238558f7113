using Everheap.Vm.Compilation;
using Everheap.Vm.Modules;

namespace Everheap.Vm.Execution;

/// <content>Exceptions, by the instance's own tags.</content>
internal sealed unsafe partial class Instance
{
    private readonly ExternalTag[] _importedTags;

    /// <summary>The identity of a tag, which is the same in every instance that imports it.</summary>
    public ulong TagAt(int index) => index < _importedTags.Length
        ? _importedTags[index].Owner.TagAt(_importedTags[index].Index)
        : InstanceGroup.FirstReferenceOf(Number) + (ulong)index;

    /// <summary>Throws an exception of a tag, with the values in the slots.</summary>
    public void Throw(int tag, int function, int offset) => Group.Throw(
        this, TagAt(tag), new ReadOnlySpan<ulong>(_context->Slots, ValTypes.UnitsOf(Module.Tags[tag].Type.Parameters)), function, offset);

    /// <summary>As <see cref="InstanceGroup.TraceException"/>, at the call with a site's number.</summary>
    public void TraceCall(int function, int site) => Group.TraceException(this, function, _compiler.SitesOf(function)[site].Offset);

    /// <summary>Whether a function catches, or may catch, an exception that comes to it where a frame stands.</summary>
    public bool HasHandlerAt(ReadOnlySpan<byte> frame)
    {
        int function = CapturedFrame.FunctionOf(frame);
        return CapturedFrame.KindOf(frame) == SiteKind.Call
            && (uint)function < (uint)Module.FunctionTypes.Count
            && _compiler.SitesOf(function)[SiteNumberOf(function, SiteKind.Call, CapturedFrame.OffsetOf(frame))].HasHandler;
    }
}
