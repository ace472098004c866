// RUN: sparsec-opt --lower-predicates --cse --canonicalize %s | FileCheck %s

// What depends on queries or keys alone is computed at rank 1: queries first, keys by their
// existence, then one comparison an element. No tile.predicate is left.
// CHECK-LABEL: tile.kernel @causal(
// CHECK-NOT: tile.predicate
// CHECK: %[[N:.*]] = tile.splat %n : i32 -> tensor<32xi32>
// CHECK: %[[EXISTS:.*]] = arith.cmpi ult, %[[KP:.*]], %[[N]] : tensor<32xi32>
// CHECK: %[[K:.*]] = tile.expand %[[KP]] {dim = 0 : i64} : tensor<32xi32> -> tensor<16x32xi32>
// CHECK: %[[Q:.*]] = tile.expand {{.*}} {dim = 1 : i64} : tensor<16xi32> -> tensor<16x32xi32>
// CHECK: %[[CAUSAL:.*]] = arith.cmpi sle, %[[K]], %[[Q]] : tensor<16x32xi32>
// CHECK: %[[BOTH:.*]] = tile.expand %[[EXISTS]] {dim = 0 : i64} : tensor<32xi1> -> tensor<16x32xi1>
// CHECK: %[[OK:.*]] = arith.andi %[[BOTH]], %[[CAUSAL]] : tensor<16x32xi1>
// CHECK: tile.store %[[OK]]
tile.kernel @causal(%y: !tile.view<i1, 1>, %i: i32, %j: i32, %n: i32, %nq: i32, %h: i32)
    args ["y", "i", "j", "n", "nq", "h"] {
  %qr = tile.rows #tile.order<natural>[%i] of %nq : !tile.rows<16>
  %kr = tile.rows #tile.order<natural>[%j] of %n : !tile.rows<32>
  %qp = tile.positions %qr : !tile.rows<16> -> tensor<16xi32>
  %kp = tile.positions %kr : !tile.rows<32> -> tensor<32xi32>
  %ok = tile.predicate #sparsec.pattern<"k <= q">(%h, %qp, %kp, %n, %nq) : tensor<16xi32>, tensor<32xi32> -> tensor<16x32xi1>
  tile.store %ok, %y[%qr, cols %kr] : tensor<16x32xi1>, !tile.view<i1, 1>, !tile.rows<16>, !tile.rows<32>
  tile.return
}

// The window's lower end q - 128 may leave 32 bits: it is brought back at rank 1, and what is done
// for each element stays 32 bits wide.
// CHECK-LABEL: tile.kernel @window(
// CHECK-NOT: tensor<16x32xi64>
// CHECK: arith.extsi {{.*}} : tensor<16xi32> to tensor<16xi64>
// CHECK: arith.subi
// CHECK: arith.minsi
// CHECK: arith.maxsi
// CHECK: arith.trunci {{.*}} : tensor<16xi64> to tensor<16xi32>
// CHECK: arith.cmpi slt, {{.*}} : tensor<16x32xi32>
// CHECK: tile.return
tile.kernel @window(%y: !tile.view<i1, 1>, %i: i32, %j: i32, %n: i32, %nq: i32, %h: i32)
    args ["y", "i", "j", "n", "nq", "h"] {
  %qr = tile.rows #tile.order<natural>[%i] of %nq : !tile.rows<16>
  %kr = tile.rows #tile.order<natural>[%j] of %n : !tile.rows<32>
  %qp = tile.positions %qr : !tile.rows<16> -> tensor<16xi32>
  %kp = tile.positions %kr : !tile.rows<32> -> tensor<32xi32>
  %ok = tile.predicate #sparsec.pattern<"q - k < 128">(%h, %qp, %kp, %n, %nq) : tensor<16xi32>, tensor<32xi32> -> tensor<16x32xi1>
  tile.store %ok, %y[%qr, cols %kr] : tensor<16x32xi1>, !tile.view<i1, 1>, !tile.rows<16>, !tile.rows<32>
  tile.return
}

// A stride costs remainders at rank 1 and one equality an element; keys, which are not negative,
// divide unsigned, queries correct the sign. Here rows are keys.
// CHECK-LABEL: tile.kernel @stride_keys_first(
// CHECK-NOT: arith.rem{{.*}}tensor<32x16x
// CHECK-NOT: arith.div{{.*}}tensor<32x16x
// CHECK-DAG: arith.remui %{{.*}} : tensor<32xi32>
// CHECK-DAG: arith.divsi %{{.*}} : tensor<16xi32>
// CHECK: %[[Q:.*]] = tile.expand {{.*}} {dim = 0 : i64} : tensor<16xi32> -> tensor<32x16xi32>
// CHECK: %[[K:.*]] = tile.expand {{.*}} {dim = 1 : i64} : tensor<32xi32> -> tensor<32x16xi32>
// CHECK: arith.cmpi eq, %[[Q]], %[[K]] : tensor<32x16xi32>
tile.kernel @stride_keys_first(%y: !tile.view<i1, 1>, %i: i32, %j: i32, %n: i32, %nq: i32, %h: i32)
    args ["y", "i", "j", "n", "nq", "h"] {
  %qr = tile.rows #tile.order<natural>[%i] of %nq : !tile.rows<16>
  %kr = tile.rows #tile.order<natural>[%j] of %n : !tile.rows<32>
  %qp = tile.positions %qr : !tile.rows<16> -> tensor<16xi32>
  %kp = tile.positions %kr : !tile.rows<32> -> tensor<32xi32>
  %ok = tile.predicate #sparsec.pattern<"(q - k) % 100 == 0">(%h, %qp, %kp, %n, %nq) {keys_first} : tensor<16xi32>, tensor<32xi32> -> tensor<32x16xi1>
  tile.store %ok, %y[%kr, cols %qr] : tensor<32x16xi1>, !tile.view<i1, 1>, !tile.rows<32>, !tile.rows<16>
  tile.return
}

// What no 32 bits hold has 64; the remainder of a hash, which 32 unsigned bits hold, does not. The
// summary column of a head is a scalar until it meets the keys.
// CHECK-LABEL: tile.kernel @wide_and_scalar(
// CHECK: arith.andi %h, %{{.*}} : i32
// CHECK: arith.cmpi eq, {{.*}} : tensor<32xi32>
// CHECK: arith.muli {{.*}} : tensor<16x32xi64>
// CHECK: arith.cmpi slt, {{.*}} : tensor<16x32xi64>
// CHECK: arith.remui {{.*}} : tensor<16x32xi32>
tile.kernel @wide_and_scalar(%y: !tile.view<i1, 1>, %i: i32, %j: i32, %n: i32, %nq: i32, %h: i32)
    args ["y", "i", "j", "n", "nq", "h"] {
  %qr = tile.rows #tile.order<natural>[%i] of %nq : !tile.rows<16>
  %kr = tile.rows #tile.order<natural>[%j] of %n : !tile.rows<32>
  %qp = tile.positions %qr : !tile.rows<16> -> tensor<16xi32>
  %kp = tile.positions %kr : !tile.rows<32> -> tensor<32xi32>
  %ok = tile.predicate #sparsec.pattern<"k // 32 == h % 4 and q * k < 5000000000 and hash(q, k, 1) % 10 < 3">(%h, %qp, %kp, %n, %nq) : tensor<16xi32>, tensor<32xi32> -> tensor<16x32xi1>
  tile.store %ok, %y[%qr, cols %kr] : tensor<16x32xi1>, !tile.view<i1, 1>, !tile.rows<16>, !tile.rows<32>
  tile.return
}
