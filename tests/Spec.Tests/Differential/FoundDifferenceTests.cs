using Everheap.Engine;

namespace Everheap.Spec.Tests.Differential;

/// <summary>What generated modules have found to go wrong, each as a script of its own.</summary>
[TestFixture]
internal sealed class FoundDifferenceTests
{
    private const long ResidentBytes = 16L << 20;

    // The JIT of .NET 10 left out the test of a rotation's result, and went by flags that something else had set.
    [Test]
    public void A_rotation_that_gives_zero_is_tested_as_zero([Values] CaptureMode mode) => Check(
        """
        (module
          (func $rotated (param i32) (result i32) (i32.rotl (local.get 0) (i32.const 5)))
          (func (export "if") (param i32) (result i32)
            (if (result i32) (i32.rotr (local.get 0) (i32.const 12)) (then (i32.const 1)) (else (i32.const 2) (br_table 1 1 (i32.const 0)))))
          (func (export "call") (param i32) (result i32)
            (if (result i32) (call $rotated (local.get 0)) (then (i32.const 1)) (else (i32.const 2))))
          (func (export "local") (param i32) (result i32) (local i32)
            (local.set 1 (i32.rotl (local.get 0) (i32.const 5)))
            (if (result i32) (local.get 1) (then (i32.const 1)) (else (i32.const 2))))
          (func (export "eqz") (param i64) (result i32) (i64.eqz (i64.rotr (local.get 0) (i64.const 5))))
          (func (export "eq") (param i32) (result i32) (local i32)
            (i32.eq (i32.rotl (i32.gt_s (local.get 0) (i32.const 0)) (i32.const 5)) (local.get 1)))
          (func (export "select") (param i32) (result i32)
            (select (i32.const 1) (i32.const 2) (block (result i32) (i32.rotl (local.get 0) (i32.const 31)))))
          (func (export "br_if") (param i32) (result i32)
            (block (br_if 0 (i32.extend8_s (i32.rotl (local.get 0) (i32.const 8)))) (return (i32.const 2)))
            (i32.const 1)))
        (assert_return (invoke "if" (i32.const 0)) (i32.const 2))
        (assert_return (invoke "if" (i32.const 1)) (i32.const 1))
        (assert_return (invoke "call" (i32.const 0)) (i32.const 2))
        (assert_return (invoke "call" (i32.const 1)) (i32.const 1))
        (assert_return (invoke "local" (i32.const 0)) (i32.const 2))
        (assert_return (invoke "local" (i32.const 1)) (i32.const 1))
        (assert_return (invoke "eqz" (i64.const 0)) (i32.const 1))
        (assert_return (invoke "eqz" (i64.const 1)) (i32.const 0))
        (assert_return (invoke "eq" (i32.const 0)) (i32.const 1))
        (assert_return (invoke "eq" (i32.const 1)) (i32.const 0))
        (assert_return (invoke "select" (i32.const 0)) (i32.const 2))
        (assert_return (invoke "select" (i32.const 1)) (i32.const 1))
        (assert_return (invoke "br_if" (i32.const 0)) (i32.const 2))
        (assert_return (invoke "br_if" (i32.const 0x01000000)) (i32.const 1))
        """,
        mode);

    // The JIT of .NET 10 read four bytes.
    [Test]
    public void A_byte_that_becomes_a_float_brings_no_other_bytes_along([Values] CaptureMode mode) => Check(
        """
        (module
          (memory 1)
          (data (i32.const 8) "\01\02\03\04")
          (global $vector (mut v128) (v128.const i8x16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16))
          (func (export "load8") (result f32) (f32.reinterpret_i32 (i32.load8_s (i32.const 8))))
          (func (export "load16") (result f32) (f32.reinterpret_i32 (i32.load16_u (i32.const 8))))
          (func (export "wide") (result f64) (f64.reinterpret_i64 (i64.load8_u (i32.const 8))))
          (func (export "lane8") (result f32) (f32.reinterpret_i32 (i8x16.extract_lane_s 4 (global.get $vector))))
          (func (export "lane16") (result f32) (local i32)
            (local.set 0 (i16x8.extract_lane_u 2 (global.get $vector)))
            (f32.reinterpret_i32 (local.get 0))))
        (assert_return (invoke "load8") (f32.const 0x1p-149))
        (assert_return (invoke "load16") (f32.const 0x201p-149))
        (assert_return (invoke "wide") (f64.const 0x1p-1074))
        (assert_return (invoke "lane8") (f32.const 0x5p-149))
        (assert_return (invoke "lane16") (f32.const 0x605p-149))
        """,
        mode);

    private static void Check(string script, CaptureMode mode)
    {
        string path = Path.Combine(TestContext.CurrentContext.WorkDirectory, $"found-{Guid.NewGuid():n}.heap");
        try
        {
            using HeapStore store = HeapStore.Create(path, new HeapStoreOptions { ResidentBytes = ResidentBytes });
            using PersistentHeap heap = store.CreateHeap("script");
            using var runner = new ScriptRunner(script, [], heap, new CaptureDriver(mode));
            Tally tally = runner.Run();
            Assert.That(tally.Failures, Is.Empty);
            Assert.That(tally.LeftOut, Is.Empty);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
