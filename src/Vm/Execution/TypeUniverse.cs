using Everheap.Vm.Modules;
using Everheap.Vm.Validation;

namespace Everheap.Vm.Execution;

/// <summary>
/// The types of all modules of a group in one numbering: two types of whichever modules have the same number if and only if they are equivalent (core specification, section 3.1.4). What a
/// module imports is matched by these numbers, and so are functions that indirect calls find in shared tables.
/// </summary>
internal sealed class TypeUniverse
{
    private readonly List<TypeDefinition> _types = [];
    private readonly Dictionary<int, int> _groups;
    private readonly Dictionary<Module, int[]> _numbers = [];
    private Subtypes? _subtypes;

    public TypeUniverse() => _groups = new Dictionary<int, int>(new GroupComparer(_types));

    /// <summary>The number of a module's type.</summary>
    /// <param name="module">The module.</param>
    /// <param name="typeIndex">The type's index there.</param>
    public int NumberOf(Module module, int typeIndex) => NumbersOf(module)[typeIndex];

    /// <summary>A module's value type, with the number of the type that it names, if it names one.</summary>
    public ValType TypeOf(Module module, ValType type) => Renumbered(type, NumbersOf(module));

    /// <summary>Whether every value of one type is one of another; both as <see cref="TypeOf"/> gives them.</summary>
    public bool IsSubtype(ValType type, ValType super) => (_subtypes ??= new Subtypes([.. _types])).IsSubtype(type, super);

    private static ValType Renumbered(ValType type, int[] numbers) => type.IsConcrete ? type.WithTypeIndex(numbers[type.TypeIndex]) : type;

    private int[] NumbersOf(Module module)
    {
        if (_numbers.TryGetValue(module, out int[]? numbers))
        {
            return numbers;
        }

        numbers = new int[module.Types.Count];
        for (int index = 0; index < numbers.Length;)
        {
            TypeDefinition first = module.Types[index];
            int canonical = module.CanonicalTypeIndex(index);
            if (canonical == index)
            {
                Enter(module, index, first.GroupLength, numbers);
            }
            else
            {
                numbers.AsSpan(canonical, first.GroupLength).CopyTo(numbers.AsSpan(index));
            }

            index += first.GroupLength;
        }

        _numbers.Add(module, numbers);
        _subtypes = null;
        return numbers;
    }

    // A recursion group is appended, and taken away again where there is an equivalent one.
    private void Enter(Module module, int start, int length, int[] numbers)
    {
        int number = _types.Count;
        for (int index = 0; index < length; index++)
        {
            numbers[start + index] = number + index;
        }

        for (int index = 0; index < length; index++)
        {
            _types.Add(Renumbered(module.Types[start + index], number, numbers));
        }

        if (!_groups.TryAdd(number, number))
        {
            int known = _groups[number];
            _types.RemoveRange(number, length);
            for (int index = 0; index < length; index++)
            {
                numbers[start + index] = known + index;
            }
        }
    }

    private static TypeDefinition Renumbered(TypeDefinition type, int groupStart, int[] numbers) => type with
    {
        Type = type.Type switch
        {
            FunctionType function => new FunctionType(Renumbered(function.Parameters, numbers), Renumbered(function.Results, numbers)),
            StructType structure => new StructType(Array.ConvertAll(structure.Fields.ToArray(), field => Renumbered(field, numbers))),
            ArrayType array => new ArrayType(Renumbered(array.Element, numbers)),
            _ => type.Type,
        },
        Supertype = type.Supertype is int super ? numbers[super] : null,
        GroupStart = groupStart,
    };

    private static ValType[] Renumbered(ReadOnlySpan<ValType> types, int[] numbers) => Array.ConvertAll(types.ToArray(), type => Renumbered(type, numbers));

    private static FieldType Renumbered(FieldType field, int[] numbers) => field with { StorageType = Renumbered(field.StorageType, numbers) };
}
