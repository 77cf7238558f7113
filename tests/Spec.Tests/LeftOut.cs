namespace Everheap.Spec.Tests;

/// <summary>
/// What of the official suite is not run, by name. The suite is that of WebAssembly 3.0; the virtual machine runs all of it but
/// garbage-collected types. docs/webassembly.md has the same lists in prose.
/// </summary>
internal static class LeftOut
{
    /// <summary>Scripts that are not run at all, by the feature that all their modules need.</summary>
    public static IReadOnlyDictionary<string, string> Scripts { get; } = Group(
        ("gc", "array array_copy array_fill array_init_data array_init_elem array_new_data array_new_elem binary-gc br_on_cast br_on_cast_fail extern i31 ref_cast ref_eq ref_null ref_test struct type-canon type-equivalence type-rec type-subtyping"),
        ("from before there could be several memories", "proposals/threads/imports proposals/threads/memory"),
        ("text format", "obsolete-keywords utf8-invalid-encoding"));

    /// <summary>Scripts of which single commands are left out, and why; quoted texts are left out everywhere.</summary>
    public static IReadOnlyDictionary<string, string[]> Commands { get; } = new Dictionary<string, string[]>
    {
        ["table_init"] = ["gc", ScriptRunner.ModuleLeftOut],
        ["table_init64"] = ["gc", ScriptRunner.ModuleLeftOut],
        ["tag"] = ["gc", ScriptRunner.ModuleLeftOut],
    };

    /// <summary>
    /// Scripts of 2.0 into whose large modules 3.0 has put single fields: those whose text holds one of the markers are taken out, and
    /// commands that call them are left out.
    /// </summary>
    public static IReadOnlyDictionary<string, string[]> Fields { get; } = new Dictionary<string, string[]>
    {
        ["table_init"] = ["(ref i31)"],
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
