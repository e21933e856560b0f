;; A byte a flag; 32 pages of 64 KiB are room for 2,097,152.
(module
  (memory 32)
  (func (export "run") (param $n64 i64) (result i64)
    (local $n i32)
    (local $i i32)
    (local $j i32)
    (local $count i64)
    (local.set $n (i32.wrap_i64 (local.get $n64)))
    (memory.fill (i32.const 0) (i32.const 1) (local.get $n))
    (local.set $i (i32.const 2))
    (block $sifted
      (loop $candidate
        (br_if $sifted (i32.ge_s (i32.mul (local.get $i) (local.get $i)) (local.get $n)))
        (if (i32.load8_u (local.get $i))
          (then
            (local.set $j (i32.mul (local.get $i) (local.get $i)))
            (block $struck
              (loop $strike
                (br_if $struck (i32.ge_s (local.get $j) (local.get $n)))
                (i32.store8 (local.get $j) (i32.const 0))
                (local.set $j (i32.add (local.get $j) (local.get $i)))
                (br $strike)))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $candidate)))
    (local.set $i (i32.const 2))
    (block $done
      (loop $tally
        (br_if $done (i32.ge_s (local.get $i) (local.get $n)))
        (local.set $count (i64.add (local.get $count) (i64.load8_u (local.get $i))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $tally)))
    (local.get $count)))
