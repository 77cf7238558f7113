namespace Everheap.Vm.Modules;

/// <summary>
/// Compares recursion groups, named by the index of their first type, as iso-recursive types (core specification, section 3.1.4): references into the group itself by their distance from
/// its start, all others by their canonical index.
/// </summary>
/// <param name="types">All types so far.</param>
internal sealed class GroupComparer(List<TypeDefinition> types) : IEqualityComparer<int>
{
    // Told apart from canonical indices, which are not negative.
    private const int NoSupertype = int.MinValue;

    public bool Equals(int x, int y)
    {
        int length = types[x].GroupLength;
        if (length != types[y].GroupLength)
        {
            return false;
        }

        for (int i = 0; i < length; i++)
        {
            if (!AreEqual(types[x + i], x, types[y + i], y))
            {
                return false;
            }
        }

        return true;
    }

    public int GetHashCode(int start)
    {
        var hash = default(HashCode);
        int length = types[start].GroupLength;
        hash.Add(length);
        for (int i = 0; i < length; i++)
        {
            TypeDefinition type = types[start + i];
            hash.Add(type.IsFinal);
            hash.Add(Relative(type.Supertype, start));
            AddComposite(ref hash, type.Type, start);
        }

        return hash.ToHashCode();
    }

    private static void AddComposite(ref HashCode hash, CompositeType composite, int start)
    {
        hash.Add((uint)composite.AbstractReference);
        switch (composite)
        {
            case FunctionType function:
                hash.Add(function.Parameters.Length);
                AddTypes(ref hash, function.Parameters, start);
                AddTypes(ref hash, function.Results, start);
                break;
            case StructType structure:
                hash.Add(structure.Fields.Length);
                foreach (FieldType field in structure.Fields)
                {
                    AddField(ref hash, field, start);
                }

                break;
            case ArrayType array:
                AddField(ref hash, array.Element, start);
                break;
        }
    }

    private static void AddTypes(ref HashCode hash, ReadOnlySpan<ValType> types, int start)
    {
        foreach (ValType type in types)
        {
            hash.Add(Relative(type, start));
        }
    }

    private static void AddField(ref HashCode hash, FieldType field, int start)
    {
        hash.Add(Relative(field.StorageType, start));
        hash.Add(field.IsMutable);
    }

    private static bool AreEqual(TypeDefinition x, int startX, TypeDefinition y, int startY)
    {
        if (x.IsFinal != y.IsFinal || Relative(x.Supertype, startX) != Relative(y.Supertype, startY))
        {
            return false;
        }

        return (x.Type, y.Type) switch
        {
            (FunctionType a, FunctionType b) => AreEqual(a.Parameters, startX, b.Parameters, startY) && AreEqual(a.Results, startX, b.Results, startY),
            (StructType a, StructType b) => AreEqual(a.Fields, startX, b.Fields, startY),
            (ArrayType a, ArrayType b) => AreEqual(a.Element, startX, b.Element, startY),
            _ => false,
        };
    }

    private static bool AreEqual(ReadOnlySpan<ValType> x, int startX, ReadOnlySpan<ValType> y, int startY)
    {
        if (x.Length != y.Length)
        {
            return false;
        }

        for (int i = 0; i < x.Length; i++)
        {
            if (Relative(x[i], startX) != Relative(y[i], startY))
            {
                return false;
            }
        }

        return true;
    }

    private static bool AreEqual(ReadOnlySpan<FieldType> x, int startX, ReadOnlySpan<FieldType> y, int startY)
    {
        if (x.Length != y.Length)
        {
            return false;
        }

        for (int i = 0; i < x.Length; i++)
        {
            if (!AreEqual(x[i], startX, y[i], startY))
            {
                return false;
            }
        }

        return true;
    }

    private static bool AreEqual(FieldType x, int startX, FieldType y, int startY) =>
        x.IsMutable == y.IsMutable && Relative(x.StorageType, startX) == Relative(y.StorageType, startY);

    // Canonical indices outside of the group lie below its start; what lies in it becomes negative.
    private static int Relative(int? supertype, int start) => supertype switch
    {
        null => NoSupertype,
        int index when index >= start => ~(index - start),
        int index => index,
    };

    private static long Relative(ValType type, int start) => type.IsConcrete && type.TypeIndex >= start
        ? ~(long)(uint)type.WithTypeIndex(type.TypeIndex - start)
        : (uint)type;
}
