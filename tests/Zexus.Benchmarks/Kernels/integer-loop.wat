(module
  (func (export "run") (param $n i64) (result i64)
    (local $sum i64)
    (local $i i64)
    (block $done
      (loop $loop
        (br_if $done (i64.ge_s (local.get $i) (local.get $n)))
        (local.set $sum
          (i64.add
            (local.get $sum)
            (i64.rem_s (i64.mul (local.get $i) (i64.const 3)) (i64.const 7))))
        (local.set $i (i64.add (local.get $i) (i64.const 1)))
        (br $loop)))
    (local.get $sum)))
