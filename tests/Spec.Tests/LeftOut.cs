namespace Everheap.Spec.Tests;

/// <summary>
/// What of the official suite is not run, by name. The suite is that of WebAssembly 3.0; the virtual machine runs 2.0 without
/// vectors. docs/webassembly.md has the same lists in prose.
/// </summary>
internal static class LeftOut
{
    /// <summary>Scripts that are not run at all, by the feature that all their modules need.</summary>
    public static IReadOnlyDictionary<string, string> Scripts { get; } = Group(
        ("gc", "array array_copy array_fill array_init_data array_init_elem array_new_data array_new_elem binary-gc br_on_cast br_on_cast_fail extern i31 ref_cast ref_eq ref_null ref_test struct type-canon type-equivalence type-rec type-subtyping"),
        ("function-references", "br_on_non_null br_on_null call_ref local_init ref ref_as_non_null return_call_ref"),
        ("tail-calls", "return_call return_call_indirect"),
        ("exceptions", "tag throw throw_ref try_table"),
        ("multi-memory", "address0 address1 align0 binary0 data1 data_drop0 float_exprs0 float_exprs1 float_memory0 imports0 imports1 imports2 imports3 imports4 instance linking0 linking1 linking2 linking3 load0 load1 load2 memory-multi memory_copy0 memory_copy1 memory_fill0 memory_grow memory_init0 memory_size0 memory_size1 memory_size2 memory_size3 memory_size_import memory_trap0 memory_trap1 start0 store0 store1 store2 traps0 simd_memory-multi"),
        ("memory64", "address64 align64 binary_leb128_64 bulk64 call_indirect64 endianness64 float_memory64 load64 memory64 memory64-imports memory_copy64 memory_fill64 memory_grow64 memory_init64 memory_redundancy64 memory_trap64 table64 table_copy64 table_copy_mixed table_fill64 table_get64 table_grow64 table_init64 table_set64 table_size64"),
        ("text format", "obsolete-keywords utf8-invalid-encoding"));

    /// <summary>Scripts of which single commands are left out, and why; quoted texts are left out everywhere.</summary>
    public static IReadOnlyDictionary<string, string[]> Commands { get; } = new Dictionary<string, string[]>
    {
        ["br_if"] = ["function-references"],
        ["br_table"] = ["function-references"],
        ["data"] = ["extended-const"],
        ["data0"] = ["multi-memory"],
        ["elem"] = [
            "extended-const", "function-references", ScriptRunner.ModuleLeftOut, ScriptRunner.StateInDoubt],
        ["exports"] = ["exceptions"],
        ["exports0"] = ["multi-memory"],
        ["func"] = ["function-references"],
        ["global"] = ["extended-const", "function-references", ScriptRunner.ModuleLeftOut],
        ["imports"] = ["exceptions", ScriptRunner.ModuleLeftOut, ScriptRunner.StateInDoubt],
        ["linking"] = ["function-references", ScriptRunner.ModuleLeftOut, ScriptRunner.StateInDoubt],
        ["local_tee"] = ["function-references"],
        ["ref_is_null"] = ["function-references", ScriptRunner.StateInDoubt],
        ["select"] = ["function-references"],
        ["table"] = ["function-references", ScriptRunner.ModuleLeftOut],
        ["table-sub"] = ["function-references"],
        ["table_grow"] = [ScriptRunner.ModuleLeftOut],
        ["table_init"] = ["gc", ScriptRunner.ModuleLeftOut],
        ["unreached-invalid"] = ["function-references"],
        ["unreached-valid"] = ["function-references"],
    };

    /// <summary>
    /// Scripts of 2.0 into whose large modules 3.0 has put single fields: those whose text holds one of the markers are taken out, and
    /// commands that call them are left out.
    /// </summary>
    public static IReadOnlyDictionary<string, string[]> Fields { get; } = new Dictionary<string, string[]>
    {
        ["br_if"] = ["(ref null $t)"],
        ["br_table"] = ["(ref null $t)"],
        ["global"] = ["$z3", "$z4", "$z5", "$z6"],
        ["local_tee"] = ["(ref null $t)"],
        ["ref_is_null"] = ["(ref null $t)", "$f3", "$t3"],
        ["select"] = ["(ref $t)"],
        ["table_init"] = ["(ref i31)"],
        ["unreached-valid"] = ["call_ref", "ref.as_non_null", "br_on_null"],
    };

    /// <summary>
    /// Scripts that are run plainly only: ten times over, skip-stack-guard-page fills the largest captured stack there may be, which
    /// takes a minute in all.
    /// </summary>
    public static IReadOnlyCollection<string> RunPlainlyOnly { get; } = ["skip-stack-guard-page"];

    /// <summary>Whether a script is run with the stack captured, too.</summary>
    public static bool IsRunWithCaptures(string script) => IsRun(script) && !RunPlainlyOnly.Contains(script);

    /// <summary>The reasons for which single commands of a script may be left out.</summary>
    public static IReadOnlyCollection<string> ReasonsWithin(string script) =>
        [ScriptRunner.ForTextReaders, .. Commands.GetValueOrDefault(script, [])];

    /// <summary>Whether a script is run.</summary>
    public static bool IsRun(string script) => !Scripts.ContainsKey(script);

    private static Dictionary<string, string> Group(params (string Reason, string Names)[] groups) =>
        groups.SelectMany(group => group.Names.Split(' ').Select(name => (name, group.Reason))).ToDictionary(StringComparer.Ordinal);
}
