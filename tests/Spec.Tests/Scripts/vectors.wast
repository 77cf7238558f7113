;; Vectors wherever a value can be: in locals and on the operand stack over loops and calls, as parameters and results of all kinds of calls,
;; in globals, and in memory over the ends of pages. The official scripts have single operators.

(module $other
  (global (export "constant") v128 (v128.const i32x4 10 20 30 40))
  (func (export "swap") (param $a v128) (param $n i32) (param $b v128) (result v128 i32 v128)
    (local.get $b) (i32.add (local.get $n) (i32.const 1)) (local.get $a))
  (func (export "first") (param v128) (result v128) (i32x4.add (local.get 0) (v128.const i32x4 1 0 0 0)))
)
(register "other" $other)

(module
  (type $binary (func (param v128 v128) (result v128)))
  (import "other" "constant" (global $constant v128))
  (import "other" "swap" (func $swap (param v128 i32 v128) (result v128 i32 v128)))
  (import "other" "first" (func $first (param v128) (result v128)))
  (memory (export "memory") 1 3)
  (table funcref (elem $add $sub $first))
  (global $narrow (mut i32) (i32.const 7))
  (global $sum (mut v128) (v128.const i64x2 1 2))
  (global $last (mut i64) (i64.const 9))

  (func $add (type $binary) (i32x4.add (local.get 0) (local.get 1)))
  (func $sub (type $binary) (i32x4.sub (local.get 0) (local.get 1)))

  ;; A vector in a local and one on the operand stack, over a loop, and over calls in it.
  (func (export "loop") (param $n i32) (param $step v128) (result v128) (local $at v128)
    (v128.const i32x4 0x1000 0x2000 0x3000 0x4000)
    (loop $next
      (local.set $at (call $add (local.get $at) (local.get $step)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $next (local.get $n)))
    (i32x4.add (local.get $at)))

  ;; Recursion, with a vector that is needed behind the call.
  (func $deep (export "deep") (param $n i32) (param $v v128) (result v128)
    (if (result v128) (local.get $n)
      (then
        (i32x4.add
          (call $deep (i32.sub (local.get $n) (i32.const 1)) (i32x4.add (local.get $v) (v128.const i32x4 1 1 1 1)))
          (local.get $v)))
      (else (local.get $v))))

  ;; Several results with a number between two vectors; a loop that takes them as parameters.
  (func $several (export "several") (param $n i32) (result v128 i32 v128)
    (v128.const i32x4 1 2 3 4) (i32.const 0) (v128.const i32x4 5 6 7 8)
    (loop $next (param v128 i32 v128) (result v128 i32 v128)
      (call $swap)
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $next (local.get $n))))

  (func (export "indirect") (param $i i32) (param $a v128) (param $b v128) (result v128)
    (call_indirect (type $binary) (local.get $a) (local.get $b) (local.get $i)))

  (func (export "imported") (param v128) (result v128)
    (i32x4.add (call $first (local.get 0)) (global.get $constant)))

  ;; Globals on both sides of a vector keep what they have.
  (func (export "accumulate") (param $v v128) (result i32 v128 i64)
    (global.set $narrow (i32.add (global.get $narrow) (i32.const 1)))
    (global.set $sum (i64x2.add (global.get $sum) (call $first (local.get $v))))
    (global.set $last (i64.add (global.get $last) (i64.const 1)))
    (global.get $narrow) (global.get $sum) (global.get $last))

  (func (export "select") (param $a v128) (param $b v128) (param $which i32) (result v128)
    (select (i32x4.add (local.get $a) (local.get $b)) (i32x4.sub (local.get $a) (local.get $b)) (local.get $which)))

  (func (export "table") (param $v v128) (param $which i32) (result v128)
    (block $c (result v128)
      (block $b (result v128)
        (block $a (result v128)
          (br_table $a $b $c (local.get $v) (local.get $which)))
        (i32x4.add (v128.const i32x4 1 1 1 1)))
      (i32x4.add (v128.const i32x4 2 2 2 2))))

  ;; A local that is not assigned is zero, in a loop too.
  (func (export "zero") (param $n i32) (result v128) (local $v v128)
    (loop $next
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (call $add (local.get $v) (local.get $v))
      (drop)
      (br_if $next (local.get $n)))
    (local.get $v))

  ;; Growth with vectors alive.
  (func (export "grow") (param $v v128) (result i32 v128)
    (i32x4.add (local.get $v) (v128.const i32x4 1 1 1 1))
    (drop (memory.grow (i32.const 1)))
    (i32x4.add (local.get $v))
    (v128.store (i32.const 0x1fff0) (local.get $v))
    (i32x4.add (v128.load (i32.const 0x1fff0)))
    (local.set $v)
    (memory.size)
    (local.get $v))

  ;; Stores and loads, aligned or not as they say, at any address.
  (func (export "copy_aligned") (param $to i32) (param $v v128) (result v128)
    (v128.store (local.get $to) (local.get $v))
    (v128.load (local.get $to)))
  (func (export "copy") (param $to i32) (param $v v128) (result v128)
    (v128.store align=1 (local.get $to) (local.get $v))
    (v128.load align=1 (local.get $to)))
  (func (export "copy_several") (param $to i32) (param $v v128) (result v128)
    (v128.store (local.get $to) (local.get $v))
    (v128.store offset=16 (local.get $to) (i32x4.add (v128.load (local.get $to)) (v128.const i32x4 1 2 3 4)))
    (v128.store offset=32 (local.get $to) (i32x4.add (v128.load offset=16 (local.get $to)) (v128.load (local.get $to))))
    (v128.load offset=32 (local.get $to)))
  (func (export "lanes") (param $at i32) (param $v v128) (result v128)
    (v128.store64_lane offset=3 1 (local.get $at) (local.get $v))
    (v128.store32_lane offset=2 3 (local.get $at) (local.get $v))
    (v128.store16_lane offset=1 2 (local.get $at) (local.get $v))
    (v128.store8_lane 7 (local.get $at) (local.get $v))
    (i32x4.add
      (v128.load64_lane offset=3 0 (local.get $at)
        (v128.load32_lane offset=2 2 (local.get $at)
          (v128.load16_lane offset=1 7 (local.get $at)
            (v128.load8_lane 13 (local.get $at) (i32x4.add (local.get $v) (v128.const i32x4 1 1 1 1))))))
      (local.get $v)))
  (func (export "splats") (param $at i32) (result v128)
    (i32x4.add
      (i32x4.add (v128.load8_splat (local.get $at)) (v128.load16_splat (local.get $at)))
      (i32x4.add
        (i32x4.add (v128.load32_splat (local.get $at)) (v128.load64_splat (local.get $at)))
        (i32x4.add
          (i32x4.add (v128.load32_zero (local.get $at)) (v128.load64_zero (local.get $at)))
          (i32x4.add (v128.load8x8_s (local.get $at)) (v128.load16x4_u (local.get $at)))))))

  ;; Shuffles that are patterns to the compiler, against one that is not and gives the same lanes in two steps.
  (func (export "interleave") (param $a v128) (param $b v128) (result v128)
    (v128.xor
      (i8x16.shuffle 0 16 1 17 2 18 3 19 4 20 5 21 6 22 7 23 (local.get $a) (local.get $b))
      (v128.or
        (i8x16.swizzle (local.get $a) (v128.const i8x16 0 -1 1 -1 2 -1 3 -1 4 -1 5 -1 6 -1 7 -1))
        (i8x16.swizzle (local.get $b) (v128.const i8x16 -1 0 -1 1 -1 2 -1 3 -1 4 -1 5 -1 6 -1 7)))))
  (func (export "concatenate") (param $a v128) (param $b v128) (result v128)
    (v128.xor
      (i8x16.shuffle 21 22 23 24 25 26 27 28 29 30 31 0 1 2 3 4 (local.get $a) (local.get $b))
      (v128.or
        (i8x16.swizzle (local.get $b) (v128.const i8x16 5 6 7 8 9 10 11 12 13 14 15 -1 -1 -1 -1 -1))
        (i8x16.swizzle (local.get $a) (v128.const i8x16 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 0 1 2 3 4)))))
  (func (export "blend") (param $a v128) (param $b v128) (result v128)
    (i8x16.shuffle 0 17 2 19 4 21 6 23 24 9 26 11 28 13 30 15 (local.get $a) (local.get $b)))
  (func (export "words") (param $a v128) (result v128)
    (i8x16.shuffle 12 13 14 15 24 25 26 27 4 5 6 7 16 17 18 19 (local.get $a) (local.get $a)))
  (func (export "with_zero") (param $a v128) (result v128)
    (i8x16.shuffle 0 16 17 1 2 18 19 3 15 31 30 14 5 16 16 16 (local.get $a) (v128.const i64x2 0 0)))
)

(assert_return (invoke "loop" (i32.const 1) (v128.const i32x4 1 2 3 4)) (v128.const i32x4 0x1001 0x2002 0x3003 0x4004))
(assert_return (invoke "loop" (i32.const 100) (v128.const i32x4 1 2 3 -1)) (v128.const i32x4 0x1064 0x20c8 0x312c 0x3f9c))
(assert_return (invoke "deep" (i32.const 0) (v128.const i32x4 1 2 3 4)) (v128.const i32x4 1 2 3 4))
(assert_return (invoke "deep" (i32.const 100) (v128.const i32x4 1 0 -1 1000)) (v128.const i32x4 5151 5050 4949 106050))
(assert_return (invoke "several" (i32.const 1)) (v128.const i32x4 5 6 7 8) (i32.const 1) (v128.const i32x4 1 2 3 4))
(assert_return (invoke "several" (i32.const 20)) (v128.const i32x4 1 2 3 4) (i32.const 20) (v128.const i32x4 5 6 7 8))
(assert_return (invoke "indirect" (i32.const 0) (v128.const i32x4 5 6 7 8) (v128.const i32x4 1 1 1 1)) (v128.const i32x4 6 7 8 9))
(assert_return (invoke "indirect" (i32.const 1) (v128.const i32x4 5 6 7 8) (v128.const i32x4 1 1 1 1)) (v128.const i32x4 4 5 6 7))
(assert_trap (invoke "indirect" (i32.const 2) (v128.const i32x4 5 6 7 8) (v128.const i32x4 1 1 1 1)) "indirect call type mismatch")
(assert_return (invoke "imported" (v128.const i32x4 1 2 3 4)) (v128.const i32x4 12 22 33 44))
(assert_return (invoke "accumulate" (v128.const i64x2 1 -1)) (i32.const 8) (v128.const i64x2 3 1) (i64.const 10))
(assert_return (invoke "accumulate" (v128.const i64x2 7 0x100000000)) (i32.const 9) (v128.const i64x2 11 0x100000001) (i64.const 11))
(assert_return (invoke "select" (v128.const i32x4 5 6 7 8) (v128.const i32x4 1 1 1 1) (i32.const 1)) (v128.const i32x4 6 7 8 9))
(assert_return (invoke "select" (v128.const i32x4 5 6 7 8) (v128.const i32x4 1 1 1 1) (i32.const 0)) (v128.const i32x4 4 5 6 7))
(assert_return (invoke "table" (v128.const i32x4 5 6 7 8) (i32.const 0)) (v128.const i32x4 8 9 10 11))
(assert_return (invoke "table" (v128.const i32x4 5 6 7 8) (i32.const 1)) (v128.const i32x4 7 8 9 10))
(assert_return (invoke "table" (v128.const i32x4 5 6 7 8) (i32.const 2)) (v128.const i32x4 5 6 7 8))
(assert_return (invoke "zero" (i32.const 3)) (v128.const i64x2 0 0))

;; In the midst of a page, over the end of the first, at the end of the memory, and beyond.
(assert_return (invoke "copy_aligned" (i32.const 64) (v128.const i32x4 1 2 3 4)) (v128.const i32x4 1 2 3 4))
(assert_return (invoke "copy_aligned" (i32.const 4089) (v128.const i32x4 1 2 3 4)) (v128.const i32x4 1 2 3 4))
(assert_return (invoke "copy_aligned" (i32.const 65520) (v128.const i32x4 1 2 3 4)) (v128.const i32x4 1 2 3 4))
(assert_trap (invoke "copy_aligned" (i32.const 65521) (v128.const i32x4 1 2 3 4)) "out of bounds memory access")
(assert_trap (invoke "copy_aligned" (i32.const -1) (v128.const i32x4 1 2 3 4)) "out of bounds memory access")
(assert_return (invoke "copy" (i32.const 65) (v128.const i32x4 1 2 3 4)) (v128.const i32x4 1 2 3 4))
(assert_return (invoke "copy" (i32.const 8185) (v128.const i32x4 1 2 3 4)) (v128.const i32x4 1 2 3 4))
(assert_trap (invoke "copy" (i32.const 65528) (v128.const i32x4 1 2 3 4)) "out of bounds memory access")
(assert_return (invoke "copy_several" (i32.const 128) (v128.const i32x4 1 2 3 4)) (v128.const i32x4 3 6 9 12))
(assert_return (invoke "copy_several" (i32.const 12264) (v128.const i32x4 1 2 3 4)) (v128.const i32x4 3 6 9 12))
(assert_trap (invoke "copy_several" (i32.const 65490) (v128.const i32x4 1 2 3 4)) "out of bounds memory access")

;; The bytes before, at and behind the place of 4,089: 7 of the first page, 9 of the second.
(assert_return (invoke "copy" (i32.const 4089) (v128.const i8x16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)) (v128.const i8x16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16))
(assert_return (invoke "splats" (i32.const 4089)) (v128.const i32x4 0x13100d08 0x17171513 0x0b0e0d0e 0x0f141316))
(assert_return (invoke "lanes" (i32.const 256) (v128.const i8x16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)) (v128.const i8x16 15 17 19 16 18 20 22 24 15 24 26 28 27 22 20 22))
(assert_return (invoke "lanes" (i32.const 8190) (v128.const i8x16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)) (v128.const i8x16 15 17 19 16 18 20 22 24 15 24 26 28 27 22 20 22))
(assert_trap (invoke "lanes" (i32.const 65530) (v128.const i8x16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)) "out of bounds memory access")

(assert_return (invoke "grow" (v128.const i32x4 1 2 3 4)) (i32.const 2) (v128.const i32x4 4 7 10 13))

(assert_return (invoke "interleave" (v128.const i64x2 0x0123456789abcdef 0xfedcba9876543210) (v128.const i64x2 0x1122334455667788 0x99aabbccddeeff00)) (v128.const i64x2 0 0))
(assert_return (invoke "concatenate" (v128.const i64x2 0x0123456789abcdef 0xfedcba9876543210) (v128.const i64x2 0x1122334455667788 0x99aabbccddeeff00)) (v128.const i64x2 0 0))
(assert_return
  (invoke "blend" (v128.const i8x16 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15) (v128.const i8x16 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31))
  (v128.const i8x16 0 17 2 19 4 21 6 23 24 9 26 11 28 13 30 15))
(assert_return (invoke "words" (v128.const i32x4 1 2 3 4)) (v128.const i32x4 4 3 2 1))
(assert_return (invoke "with_zero" (v128.const i8x16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)) (v128.const i8x16 1 0 0 2 3 0 0 4 16 0 0 15 6 0 0 0))
