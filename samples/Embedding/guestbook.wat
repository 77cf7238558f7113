;; A guest that keeps what it is told in its memory: each entry one behind the other, a line each.
(module
  (import "host" "log" (func $log (param i32 i32)))
  (memory (export "memory") 1)
  (global $end (mut i32) (i32.const 1024))
  (global $entries (export "entries") (mut i32) (i32.const 0))

  ;; Room for what the host wants to tell: it writes there, then calls sign.
  (func (export "room") (result i32) (i32.const 0))

  (func (export "sign") (param $length i32) (result i32)
    (memory.copy (global.get $end) (i32.const 0) (local.get $length))
    (global.set $end (i32.add (global.get $end) (local.get $length)))
    (i32.store8 (global.get $end) (i32.const 10))
    (global.set $end (i32.add (global.get $end) (i32.const 1)))
    (global.set $entries (i32.add (global.get $entries) (i32.const 1)))
    (global.get $entries))

  (func (export "show")
    (call $log (i32.const 1024) (i32.sub (global.get $end) (i32.const 1024)))))
