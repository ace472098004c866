// RUN: sparsec-opt %s | sparsec-opt | FileCheck %s
// RUN: sparsec-opt %s -mlir-print-op-generic | sparsec-opt | FileCheck %s

// Every op that the whole kernels beside this file do not show, in the text it is printed as.

// CHECK: sparsec.attention @head0 #sparsec.pattern<"k <= q and q - k < 128"> dtype f16 head_dim 64 value_dim 80 block 64 x 32 lse
sparsec.attention @head0 #sparsec.pattern<"k <= q and q - k < 128"> dtype f16 head_dim 64 value_dim 80 block 64 x 32 lse
// CHECK: sparsec.attention @head1 #sparsec.pattern<"True"> dtype f32 head_dim 16 value_dim 16 block 16 x 16{{$}}
sparsec.attention @head1 #sparsec.pattern<"True"> dtype f32 head_dim 16 value_dim 16 block 16 x 16

// CHECK: sparsec.attention_decode @head2 #sparsec.pattern<"k <= q"> dtype bf16 head_dim 64 value_dim 64 block 16 x 64 merge
sparsec.attention_decode @head2 #sparsec.pattern<"k <= q"> dtype bf16 head_dim 64 value_dim 64 block 16 x 64 merge
// CHECK: sparsec.attention_mass @head3 #sparsec.pattern<"k <= q"> dtype bf16 head_dim 64 block 64 x 64
sparsec.attention_mass @head3 #sparsec.pattern<"k <= q"> dtype bf16 head_dim 64 block 64 x 64

// CHECK-LABEL: tile.kernel @stores(
tile.kernel @stores(%y: !tile.view<f32, 1>, %z: !tile.view<f32, 2>, %n: i32) args ["y", "z", "n"] {
  %r = tile.rows #tile.order<natural>[%n] of %n : !tile.rows<16>
  %x = arith.constant dense<1.0> : tensor<16x16xf32>
  %v = arith.constant dense<1.0> : tensor<16xf32>
  // CHECK: tile.store %{{.*}}, %y[%{{.*}}, cols %{{.*}}] {streaming} : tensor<16x16xf32>, !tile.view<f32, 1>, !tile.rows<16>, !tile.rows<16>
  tile.store %x, %y[%r, cols %r] {streaming} : tensor<16x16xf32>, !tile.view<f32, 1>, !tile.rows<16>, !tile.rows<16>
  // Rows side by side, and a stride apart.
  // CHECK: tile.store %{{.*}}, %z[%n, %n, %{{.*}}] : tensor<16xf32>, !tile.view<f32, 2>, !tile.rows<16>
  tile.store %v, %z[%n, %n, %r] : tensor<16xf32>, !tile.view<f32, 2>, !tile.rows<16>
  // CHECK: tile.store %{{.*}}, %z[%n, %{{.*}}] : tensor<16xf32>, !tile.view<f32, 2>, !tile.rows<16>
  tile.store %v, %z[%n, %r] : tensor<16xf32>, !tile.view<f32, 2>, !tile.rows<16>
  tile.return
}

// CHECK-LABEL: tile.kernel @empty() args [] attributes {threads = 128 : i64} {
tile.kernel @empty() args [] attributes {threads = 128} {
  tile.return
}

// CHECK-LABEL: tile.kernel @rows(%x: !tile.view<f32, 1>, %index: !tile.view<i32, 0>, %count: i32) args ["x", "index", "count"] {
tile.kernel @rows(%x: !tile.view<f32, 1>, %index: !tile.view<i32, 0>, %count: i32) args ["x", "index", "count"] {
  // CHECK: %[[I:.*]] = tile.work range of %count : i32
  %i = tile.work range of %count : i32
  // CHECK: %[[BY:.*]] = tile.rows_by %[[I]](%count by %[[I]], %count by %count) : !tile.rows<16>
  %by = tile.rows_by %i(%count by %i, %count by %count) : !tile.rows<16>
  // CHECK: %[[P:.*]] = tile.positions %[[BY]] : !tile.rows<16> -> tensor<16xi32>
  %p = tile.positions %by : !tile.rows<16> -> tensor<16xi32>
  // CHECK: %[[IDX:.*]] = tile.load %index[%[[BY]]] : !tile.view<i32, 0>, !tile.rows<16> -> tensor<16xi32>
  %idx = tile.load %index[%by] : !tile.view<i32, 0>, !tile.rows<16> -> tensor<16xi32>
  // CHECK: %[[AT:.*]] = tile.rows_at %[[IDX]] count %count : tensor<16xi32> -> !tile.rows<16 by gathered>
  %at = tile.rows_at %idx count %count : tensor<16xi32> -> !tile.rows<16 by gathered>
  // CHECK: %[[T:.*]] = tile.load %x[%[[AT]], cols %[[BY]]] : !tile.view<f32, 1>, !tile.rows<16 by gathered>, !tile.rows<16> -> tensor<16x16xf32>
  %t = tile.load %x[%at, cols %by] : !tile.view<f32, 1>, !tile.rows<16 by gathered>, !tile.rows<16> -> tensor<16x16xf32>
  // CHECK: %[[TT:.*]] = tile.transpose %[[T]] : tensor<16x16xf32> -> tensor<16x16xf32>
  %tt = tile.transpose %t : tensor<16x16xf32> -> tensor<16x16xf32>
  // CHECK: %[[S:.*]] = tile.scan sum %[[TT]] {dim = 1 : i64} : tensor<16x16xf32> -> tensor<16x16xf32>
  %s = tile.scan sum %tt {dim = 1} : tensor<16x16xf32> -> tensor<16x16xf32>
  // CHECK: %[[E:.*]] = tile.scan max %[[S]] {dim = 0 : i64, exclusive} : tensor<16x16xf32> -> tensor<16x16xf32>
  %e = tile.scan max %s {dim = 0, exclusive} : tensor<16x16xf32> -> tensor<16x16xf32>
  // CHECK: %[[C:.*]] = tile.reduce max %[[E]] {dim = 0 : i64} : tensor<16x16xf32> -> tensor<16xf32>
  %c = tile.reduce max %e {dim = 0} : tensor<16x16xf32> -> tensor<16xf32>
  // CHECK: %[[ALL:.*]] = tile.reduce sum %[[C]] {dim = 0 : i64} : tensor<16xf32> -> f32
  %all = tile.reduce sum %c {dim = 0} : tensor<16xf32> -> f32
  // CHECK: %[[SPLAT:.*]] = tile.splat %[[ALL]] : f32 -> tensor<16x16xf32>
  %splat = tile.splat %all : f32 -> tensor<16x16xf32>
  // CHECK: tile.dot %[[E]], %[[SPLAT]] {lhs_t, rhs_t}
  %d = tile.dot %e, %splat {lhs_t, rhs_t} : tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
  // CHECK: tile.accumulate %{{.*}}, %x[%[[AT]], cols %[[BY]]] exclusive : tensor<16x16xf32>, !tile.view<f32, 1>, !tile.rows<16 by gathered>, !tile.rows<16>
  tile.accumulate %d, %x[%at, cols %by] exclusive : tensor<16x16xf32>, !tile.view<f32, 1>, !tile.rows<16 by gathered>, !tile.rows<16>
  // CHECK: tile.accumulate %{{.*}}, %x[%[[AT]]] ordered(%[[I]]) : tensor<16x16xf32>, !tile.view<f32, 1>, !tile.rows<16 by gathered>
  tile.accumulate %d, %x[%at] ordered(%i) : tensor<16x16xf32>, !tile.view<f32, 1>, !tile.rows<16 by gathered>
  // CHECK: tile.count "rows" by %count
  tile.count "rows" by %count
  tile.return
}

// CHECK-LABEL: tile.kernel @numbers(
tile.kernel @numbers(%step: !tile.view<i64, 0>, %bytes: !tile.view<i8, 0>, %i: i32) args ["step", "bytes", "i"] {
  // CHECK: %[[X:.*]] = tile.scalar %step[%i] : !tile.view<i64, 0> -> i64
  %x = tile.scalar %step[%i] : !tile.view<i64, 0> -> i64
  // CHECK: tile.store_scalar %[[X]], %step[%i] : i64, !tile.view<i64, 0>
  tile.store_scalar %x, %step[%i] : i64, !tile.view<i64, 0>
  %r = tile.rows #tile.order<natural>[%i] of %i : !tile.rows<16>
  // CHECK: tile.load %bytes[%{{.*}}] : !tile.view<i8, 0>, !tile.rows<16> -> tensor<16xi32>
  %t = tile.load %bytes[%r] : !tile.view<i8, 0>, !tile.rows<16> -> tensor<16xi32>
  tile.return
}

// CHECK-LABEL: tile.kernel @patterns(
tile.kernel @patterns(%y: !tile.view<i32, 1>, %layout: !tile.layout, %n: i32, %nq: i32, %seed: i64)
    args ["y", "layout", "n", "nq", "seed"] {
  // CHECK: %[[WORK:.*]]:5 = tile.work blocks of %layout : !tile.layout
  %b, %h, %i, %j, %e = tile.work blocks of %layout : !tile.layout
  %qr = tile.rows #tile.order<natural>[%i] of %nq : !tile.rows<16>
  // CHECK: %[[KR:.*]] = tile.rows #tile.order<natural>[%[[WORK]]#3] of %n : !tile.rows<32, 4>
  %kr = tile.rows #tile.order<natural>[%j] of %n : !tile.rows<32, 4>
  %qp = tile.positions %qr : !tile.rows<16> -> tensor<16xi32>
  %kp = tile.positions %kr : !tile.rows<32, 4> -> tensor<32xi32>
  // CHECK: tile.predicate #sparsec.pattern<"k <= q">(%[[WORK]]#1, %[[QP:.*]], %[[KP:.*]], %n, %nq) {keys_first} : tensor<16xi32>, tensor<32xi32> -> tensor<32x16xi1>
  %ok = tile.predicate #sparsec.pattern<"k <= q">(%h, %qp, %kp, %n, %nq) {keys_first} : tensor<16xi32>, tensor<32xi32> -> tensor<32x16xi1>
  // CHECK: tile.random %seed(%[[KP]], %[[QP]]) : tensor<32xi32>, tensor<16xi32> -> tensor<32x16xi32>
  %bits = tile.random %seed(%kp, %qp) : tensor<32xi32>, tensor<16xi32> -> tensor<32x16xi32>
  // CHECK: tile.random %seed(%[[QP]]) : tensor<16xi32> -> tensor<16xi32>
  %vector = tile.random %seed(%qp) : tensor<16xi32> -> tensor<16xi32>
  %zero = arith.constant dense<0> : tensor<32x16xi32>
  %kept = arith.select %ok, %bits, %zero : tensor<32x16xi1>, tensor<32x16xi32>
  %sum = tile.reduce sum %kept {dim = 1} : tensor<32x16xi32> -> tensor<32xi32>
  // CHECK: tile.blocks all %layout[%[[WORK]]#2] slice %n, %nq : !tile.blocks
  %part = tile.blocks all %layout[%i] slice %n, %nq : !tile.blocks
  // CHECK: %[[RANGE:.*]] = tile.range %n to %nq : !tile.blocks
  %range = tile.range %n to %nq : !tile.blocks
  // A fold without values, and one with an encoded tensor: encodings are kept.
  // CHECK: tile.fold %j in %[[RANGE]] init() fetch {
  // CHECK: } lead() {
  // CHECK: } step() {
  tile.fold %f in %range init() fetch {
    tile.yield
  } lead() {
    tile.yield
  } step() {
    tile.count "steps" by %n
    tile.yield
  }
  // CHECK: tensor<16x16xf32, "accumulator">
  %zeros = arith.constant dense<0.0> : tensor<16x16xf32, "accumulator">
  %x = arith.constant dense<1.0> : tensor<16x16xbf16, "operand">
  // CHECK: tile.dot %{{.*}}, %{{.*}} acc(%{{.*}} : tensor<16x16xf32, "accumulator">) : tensor<16x16xbf16, "operand">, tensor<16x16xbf16, "operand"> -> tensor<16x16xf32, "accumulator">
  %d = tile.dot %x, %x acc(%zeros : tensor<16x16xf32, "accumulator">) : tensor<16x16xbf16, "operand">, tensor<16x16xbf16, "operand"> -> tensor<16x16xf32, "accumulator">
  tile.return
}
