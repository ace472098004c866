// RUN: sparsec-opt --split-full-blocks %s | FileCheck %s

// The second fold starts from the carries of the first and has no mask; what else asked for the
// pattern gets `true`.
// CHECK-LABEL: tile.kernel @attends(
// CHECK: %[[PARTIAL:.*]] = tile.blocks partial %layout[%[[R:.*]]] : !tile.blocks
// CHECK: %[[SUM:.*]] = tile.fold %j in %[[PARTIAL]] init(%[[ZERO:.*]]) : tensor<16xf32>
// CHECK: } step(%{{.*}}, %[[X:.*]], %{{.*}}) {
// CHECK: %[[OK:.*]] = tile.predicate #sparsec.pattern<"k <= q">
// CHECK: %[[MASKED:.*]] = tile.mask %[[X]], %[[OK]]
// CHECK: tile.reduce max %[[MASKED]]
// CHECK: arith.extui %[[OK]]
// CHECK: %[[FULL:.*]] = tile.blocks full %layout[%[[R]]] : !tile.blocks
// CHECK: tile.fold %j in %[[FULL]] init(%[[SUM]]) : tensor<16xf32>
// CHECK: } step(%{{.*}}, %[[Y:.*]], %{{.*}}) {
// CHECK-NOT: tile.mask
// CHECK: %[[TRUE:.*]] = arith.constant dense<true> : tensor<16x32xi1>
// CHECK: tile.reduce max %[[Y]]
// CHECK: arith.extui %[[TRUE]]
// CHECK: tile.return
tile.kernel @attends(%x: !tile.view<f32, 1>, %y: !tile.view<f32, 0>, %layout: !tile.layout, %n: i32, %nq: i32)
    args ["x", "y", "layout", "n", "nq"] {
  %b, %h, %i, %r = tile.work rows of %layout : !tile.layout
  %qr = tile.rows #tile.order<natural>[%i] of %nq : !tile.rows<16>
  %qp = tile.positions %qr : !tile.rows<16> -> tensor<16xi32>
  %zero = arith.constant dense<0.0> : tensor<16xf32>
  %all = tile.blocks all %layout[%r] : !tile.blocks
  %sum = tile.fold %j in %all init(%zero) : tensor<16xf32> fetch {
    %kr = tile.rows #tile.order<natural>[%j] of %n : !tile.rows<32>
    %t = tile.load %x[%qr, cols %kr] : !tile.view<f32, 1>, !tile.rows<16>, !tile.rows<32> -> tensor<16x32xf32>
    tile.yield %kr, %t : !tile.rows<32>, tensor<16x32xf32>
  } lead(%kr, %t) {
    tile.yield
  } step(%kr, %t, %s) {
    %kp = tile.positions %kr : !tile.rows<32> -> tensor<32xi32>
    %ok = tile.predicate #sparsec.pattern<"k <= q">(%h, %qp, %kp, %n, %nq) : tensor<16xi32>, tensor<32xi32> -> tensor<16x32xi1>
    %masked = tile.mask %t, %ok : tensor<16x32xf32>, tensor<16x32xi1>
    %m = tile.reduce max %masked {dim = 1} : tensor<16x32xf32> -> tensor<16xf32>
    %bits = arith.extui %ok : tensor<16x32xi1> to tensor<16x32xi32>
    %ones = arith.sitofp %bits : tensor<16x32xi32> to tensor<16x32xf32>
    %count = tile.reduce sum %ones {dim = 1} : tensor<16x32xf32> -> tensor<16xf32>
    %s0 = arith.addf %s, %m : tensor<16xf32>
    %s1 = arith.addf %s0, %count : tensor<16xf32>
    tile.yield %s1 : tensor<16xf32>
  }
  tile.store %sum, %y[%qr] : tensor<16xf32>, !tile.view<f32, 0>, !tile.rows<16>
  tile.return
}

// Folds that ask for no pattern, and folds over part of the blocks, stay as they are.
// CHECK-LABEL: tile.kernel @stays(
// CHECK: = tile.blocks all
// CHECK-NOT: = tile.blocks
// CHECK: = tile.fold
// CHECK-NOT: = tile.fold
// CHECK: tile.return
tile.kernel @stays(%y: !tile.view<f32, 0>, %layout: !tile.layout, %nq: i32) args ["y", "layout", "nq"] {
  %b, %h, %i, %r = tile.work rows of %layout : !tile.layout
  %qr = tile.rows #tile.order<natural>[%i] of %nq : !tile.rows<16>
  %zero = arith.constant dense<0.0> : tensor<16xf32>
  %one = arith.constant dense<1.0> : tensor<16xf32>
  %all = tile.blocks all %layout[%r] : !tile.blocks
  %blocks = tile.fold %j in %all init(%zero) : tensor<16xf32> fetch {
    tile.yield
  } lead() {
    tile.yield
  } step(%s) {
    %s1 = arith.addf %s, %one : tensor<16xf32>
    tile.yield %s1 : tensor<16xf32>
  }
  tile.store %blocks, %y[%qr] : tensor<16xf32>, !tile.view<f32, 0>, !tile.rows<16>
  tile.return
}
