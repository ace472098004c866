// RUN: sparsec-opt --scale-operands %s | FileCheck %s

// The queries are scaled before the fold; their product is what its reader takes.
// CHECK-LABEL: tile.kernel @queries(
// CHECK: %[[Q:.*]] = tile.load %q
// CHECK: %[[FACTORS:.*]] = tile.splat %scale : f32 -> tensor<16x32xf32>
// CHECK: %[[SCALED:.*]] = arith.mulf %[[Q]], %[[FACTORS]] : tensor<16x32xf32>
// CHECK: tile.fold
// CHECK: %[[S:.*]] = tile.dot %[[SCALED]], %{{.*}} {rhs_t}
// CHECK-NOT: arith.mulf
// CHECK: tile.yield %[[S]]
tile.kernel @queries(%q: !tile.view<f32, 1>, %k: !tile.view<f32, 1>, %y: !tile.view<f32, 0>, %scale: f32, %layout: !tile.layout, %n: i32, %nq: i32)
    args ["q", "k", "y", "scale", "layout", "n", "nq"] {
  %b, %h, %i, %r = tile.work rows of %layout : !tile.layout
  %qr = tile.rows #tile.order<natural>[%i] of %nq : !tile.rows<16>
  %qt = tile.load %q[%qr] : !tile.view<f32, 1>, !tile.rows<16> -> tensor<16x32xf32>
  %zero = arith.constant dense<0.0> : tensor<16xf32>
  %all = tile.blocks all %layout[%r] : !tile.blocks
  %sum = tile.fold %j in %all init(%zero) : tensor<16xf32> fetch {
    %kr = tile.rows #tile.order<natural>[%j] of %n : !tile.rows<16>
    %kt = tile.load %k[%kr] : !tile.view<f32, 1>, !tile.rows<16> -> tensor<16x32xf32>
    tile.yield %kt : tensor<16x32xf32>
  } lead(%kt) {
    %dot = tile.dot %qt, %kt {rhs_t} : tensor<16x32xf32>, tensor<16x32xf32> -> tensor<16x16xf32>
    %factors = tile.splat %scale : f32 -> tensor<16x16xf32>
    %s = arith.mulf %dot, %factors : tensor<16x16xf32>
    tile.yield %s : tensor<16x16xf32>
  } step(%kt, %s, %sum) {
    %m = tile.reduce max %s {dim = 1} : tensor<16x16xf32> -> tensor<16xf32>
    %next = arith.addf %sum, %m : tensor<16xf32>
    tile.yield %next : tensor<16xf32>
  }
  tile.store %sum, %y[%qr] : tensor<16xf32>, !tile.view<f32, 0>, !tile.rows<16>
  tile.return
}

// Not in 16 bits, not of a product that is read as it is, and not where both operands are of the
// fold's block.
// CHECK-LABEL: tile.kernel @stays(
// CHECK-NOT: arith.mulf
// CHECK: tile.fold
// CHECK-COUNT-3: arith.mulf
// CHECK-NOT: arith.mulf
tile.kernel @stays(%q: !tile.view<f32, 1>, %w: !tile.view<bf16, 1>, %y: !tile.view<f32, 0>, %scale: f32, %layout: !tile.layout, %n: i32, %nq: i32)
    args ["q", "k", "y", "scale", "layout", "n", "nq"] {
  %b, %h, %i, %r = tile.work rows of %layout : !tile.layout
  %qr = tile.rows #tile.order<natural>[%i] of %nq : !tile.rows<16>
  %qt = tile.load %q[%qr] : !tile.view<f32, 1>, !tile.rows<16> -> tensor<16x32xf32>
  %wt = tile.load %w[%qr] : !tile.view<bf16, 1>, !tile.rows<16> -> tensor<16x32xbf16>
  %zero = arith.constant dense<0.0> : tensor<16xf32>
  %all = tile.blocks all %layout[%r] : !tile.blocks
  %sum = tile.fold %j in %all init(%zero) : tensor<16xf32> fetch {
    %kr = tile.rows #tile.order<natural>[%j] of %n : !tile.rows<16>
    %kt = tile.load %q[%kr] : !tile.view<f32, 1>, !tile.rows<16> -> tensor<16x32xf32>
    %vt = tile.load %w[%kr] : !tile.view<bf16, 1>, !tile.rows<16> -> tensor<16x32xbf16>
    tile.yield %kt, %vt : tensor<16x32xf32>, tensor<16x32xbf16>
  } lead(%kt, %vt) {
    %factors = tile.splat %scale : f32 -> tensor<16x16xf32>
    %rounded = tile.dot %wt, %vt {rhs_t} : tensor<16x32xbf16>, tensor<16x32xbf16> -> tensor<16x16xf32>
    %s0 = arith.mulf %rounded, %factors : tensor<16x16xf32>
    %twice = tile.dot %qt, %kt {rhs_t} : tensor<16x32xf32>, tensor<16x32xf32> -> tensor<16x16xf32>
    %s1 = arith.mulf %twice, %factors : tensor<16x16xf32>
    %own = tile.dot %kt, %kt {rhs_t} : tensor<16x32xf32>, tensor<16x32xf32> -> tensor<16x16xf32>
    %s2 = arith.mulf %own, %factors : tensor<16x16xf32>
    %a = arith.addf %s0, %s1 : tensor<16x16xf32>
    %c = arith.addf %s2, %twice : tensor<16x16xf32>
    %s = arith.addf %a, %c : tensor<16x16xf32>
    tile.yield %s : tensor<16x16xf32>
  } step(%kt, %vt, %s, %sum) {
    %m = tile.reduce max %s {dim = 1} : tensor<16x16xf32> -> tensor<16xf32>
    %next = arith.addf %sum, %m : tensor<16xf32>
    tile.yield %next : tensor<16xf32>
  }
  tile.store %sum, %y[%qr] : tensor<16xf32>, !tile.view<f32, 0>, !tile.rows<16>
  tile.return
}
