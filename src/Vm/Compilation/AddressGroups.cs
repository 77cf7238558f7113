using Everheap.Vm.Modules;

namespace Everheap.Vm.Compilation;

/// <summary>A function's groups of accesses, found in what a walk over it met.</summary>
internal sealed class AddressGroups
{
    /// <summary>Groups off one value, of which the last are looked at.</summary>
    private const int GroupsOffOneValueMax = 4;

    private readonly FunctionCode _code;
    private readonly GroupRules _rules;
    private readonly Dictionary<int, AddressMember> _memberOf = [];
    private readonly Dictionary<int, List<Entry>> _open = [];
    private readonly List<int> _opened = [];
    private readonly Stack<(int Opened, int Groups)> _scopes = new();
    private int _line;
    private int _calls;
    private int _groups;
    private int _groupsInLine;

    private AddressGroups(FunctionCode code, GroupRules rules)
    {
        _code = code;
        _rules = rules;
    }

    /// <summary>A group that accesses may join.</summary>
    private readonly record struct Entry(AddressGroup Group, int Line, int Calls);

    /// <summary>Forms a function's groups.</summary>
    /// <param name="code">The function.</param>
    /// <param name="events">What a walk over it met.</param>
    /// <param name="rules">What may be in one group.</param>
    /// <param name="isLeftOut">Says of which accesses nothing has to be done.</param>
    public static AddressGroups Of(FunctionCode code, IReadOnlyList<AddressEvent> events, GroupRules rules, Func<AddressEvent, bool>? isLeftOut = null)
    {
        var groups = new AddressGroups(code, rules);
        int[] calls = rules.EndsAtCalls ? [.. events.Where(met => groups.IsCall(in met)).Select(met => met.Position)] : [];
        foreach (AddressEvent met in events)
        {
            if (met.Kind == AddressEventKind.Access && !groups.IsCall(in met))
            {
                bool isStore = MemoryAccess.IsStore(code.Instructions[met.Position].Opcode);
                if ((isStore || !rules.OnlyStores) && isLeftOut?.Invoke(met) != true)
                {
                    groups.Place(met.Position, met.Value, isStore);
                }
            }
            else
            {
                groups.Pass(in met, calls);
            }
        }

        return groups;
    }

    /// <summary>The group of an access, which may have no other; or null if it is left out.</summary>
    public AddressGroup? At(int position) => _memberOf.GetValueOrDefault(position).Group;

    /// <summary>An access as a member of its group, which it has.</summary>
    public AddressMember MemberAt(int position) => _memberOf[position];

    // Where calls matter, an access that may straddle two pages is made by a call if it does.
    private bool IsCall(in AddressEvent met)
    {
        if (met.Kind != AddressEventKind.Access || !_rules.EndsAtCalls)
        {
            return met.Kind == AddressEventKind.Call;
        }

        ref readonly Instruction instruction = ref _code.Instructions[met.Position];
        return 1 << instruction.AlignmentExponent < MemoryAccess.Of(instruction.Opcode).Size;
    }

    private void Pass(in AddressEvent met, int[] calls)
    {
        _line++;
        _groupsInLine = 0;
        if (IsCall(in met))
        {
            _calls++;
            _groups = _rules.EndsAtCalls ? 0 : _groups;
            return;
        }

        switch (met.Kind)
        {
            case AddressEventKind.Open:
                _scopes.Push((_opened.Count, _groups));
                if (_code.Instructions[met.Position].Opcode == Opcode.Loop && HasCall(calls, met.Position, _code.EndOf[met.Position]))
                {
                    _calls++;
                }

                break;
            case AddressEventKind.Close:
                // What stands in a construct need not come before what follows it.
                (int kept, int groups) = _scopes.Pop();
                _groups = Math.Min(_groups, groups);
                for (int index = _opened.Count - 1; index >= kept; index--)
                {
                    List<Entry> entries = _open[_opened[index]];
                    entries.RemoveAt(entries.Count - 1);
                }

                _opened.RemoveRange(kept, _opened.Count - kept);
                break;
        }
    }

    private static bool HasCall(int[] calls, int start, int end)
    {
        int index = Array.BinarySearch(calls, start);
        index = index < 0 ? ~index : index;
        return index < calls.Length && calls[index] < end;
    }

    private void Place(int position, AddressValue address, bool isStore)
    {
        long offset = _code.Instructions[position].Immediate;
        int size = MemoryAccess.Of(_code.Instructions[position].Opcode).Size;
        if (!_open.TryGetValue(address.Number, out List<Entry>? entries))
        {
            _open.Add(address.Number, entries = []);
        }

        for (int index = entries.Count - 1; index >= Math.Max(0, entries.Count - GroupsOffOneValueMax); index--)
        {
            Entry entry = entries[index];
            if (_rules.EndsAtCalls && entry.Calls != _calls)
            {
                break;
            }

            long distance = (int)((uint)address.Distance - (uint)entry.Group.Address.Distance);
            if (Joins(entry.Group, distance, offset, size, isStore, entry.Line == _line))
            {
                entry.Group.Members++;
                entry.Group.CertainMembers += entry.Line == _line ? 1 : 0;
                _memberOf.Add(position, new AddressMember(entry.Group, distance, entry.Line == _line));
                return;
            }
        }

        var group = new AddressGroup(_groups++, position, address)
        {
            Members = 1,
            CertainMembers = 1,
            NumberInLine = _groupsInLine++,
            First = offset,
            End = offset + size,
            CertainFirst = offset,
            CertainEnd = offset + size,
            HasStore = isStore,
        };
        entries.Add(new Entry(group, _line, _calls));
        _opened.Add(address.Number);
        _memberOf.Add(position, new AddressMember(group, 0, true));
    }

    private bool Joins(AddressGroup group, long distance, long offset, int size, bool isStore, bool isCertain)
    {
        long first = Math.Min(distance + offset, group.First);
        long end = Math.Max(distance + offset + size, group.End);
        if (isCertain)
        {
            if (end - first > _rules.CertainSpanMax && (first < group.First || end > group.End))
            {
                return false;
            }

            group.CertainFirst = Math.Min(distance + offset, group.CertainFirst);
            group.CertainEnd = Math.Max(distance + offset + size, group.CertainEnd);
        }
        else if (first < group.CertainFirst - _rules.LikelySpanMax || end > group.CertainEnd + _rules.LikelySpanMax || (isStore && !group.HasStore && _rules.EndsAtCalls))
        {
            return false;
        }

        group.IsWide |= first < group.First || end > group.End || distance < group.Lowest;
        (group.First, group.End, group.Lowest) = (first, end, Math.Min(distance, group.Lowest));
        group.HasStore |= isStore;
        return true;
    }
}
