// What decoding with grouped heads computes: attention of a few new queries over keys that lie in pages,
//
//   out = softmax(scale q k^T, where k <= q) v     lse = log(sum of the exponentials)
//
// going on from the out (`partial`) and lse of keys before: the softmax starts from (lse, 1, out), so no op merges parts.
// A tile's rows are two positions of all eight query heads that share keys, so one product serves the group. The keys'
// rows are gathered by a table (`slots`). Nothing lowers it yet: it holds the dialect to what it must be able to carry.
// RUN: sparsec-opt %s | sparsec-opt | FileCheck %s
// RUN: sparsec-opt --lower-predicates --cse --canonicalize --loop-invariant-code-motion %s | FileCheck %s --check-prefix=LOWERED

// LOWERED: tile.kernel @grouped_decode(
// LOWERED-NOT: tile.predicate

// CHECK-LABEL: tile.kernel @grouped_decode(
tile.kernel @grouped_decode(%q: !tile.view<bf16, 3>, %k: !tile.view<bf16, 2>, %v: !tile.view<bf16, 2>,
                            %slots: !tile.view<i32, 1>, %partial: !tile.view<f32, 3>, %lse: !tile.view<f32, 2>,
                            %layout: !tile.layout, %n: i32, %nq: i32, %q0: i32, %group: i32, %scale: f32)
    args ["q", "k", "v", "slots", "partial", "lse", "layout", "n", "nq", "q0", "head_group", "scale"] {
  %b, %g, %i, %r = tile.work rows of %layout : !tile.layout
  %h = arith.muli %g, %group : i32
  // CHECK: tile.rows #tile.order<natural>[%{{.*}}] of %nq : !tile.rows<16, 8>
  %qr = tile.rows #tile.order<natural>[%i] of %nq : !tile.rows<16, 8>
  %qt = tile.load %q[%b, %h, %qr] : !tile.view<bf16, 3>, !tile.rows<16, 8> -> tensor<16x128xbf16>
  %m0 = tile.load %lse[%b, %h, %qr] : !tile.view<f32, 2>, !tile.rows<16, 8> -> tensor<16xf32>
  %o0 = tile.load %partial[%b, %h, %qr] : !tile.view<f32, 3>, !tile.rows<16, 8> -> tensor<16x128xf32>
  %qrow = tile.positions %qr : !tile.rows<16, 8> -> tensor<16xi32>
  %q0s = tile.splat %q0 : i32 -> tensor<16xi32>
  %qp = arith.addi %qrow, %q0s : tensor<16xi32>
  %ones = arith.constant dense<1.0> : tensor<16xf32>
  %scales = tile.splat %scale : f32 -> tensor<16x64xf32>
  %size = arith.constant 64 : i32
  %one = arith.constant 1 : i32
  %blocks = tile.blocks all %layout[%r] : !tile.blocks
  %m, %l, %o = tile.fold %j in %blocks init(%m0, %ones, %o0) : tensor<16xf32>, tensor<16xf32>, tensor<16x128xf32> fetch {
    %kr = tile.rows #tile.order<natural>[%j] of %n : !tile.rows<64>
    %slot = tile.load %slots[%b, %kr] : !tile.view<i32, 1>, !tile.rows<64> -> tensor<64xi32>
    %begin = arith.muli %j, %size : i32
    %left = arith.subi %n, %begin : i32
    // CHECK: tile.rows_at
    %at = tile.rows_at %slot count %left : tensor<64xi32> -> !tile.rows<64 by gathered>
    %kt = tile.load %k[%g, %at] : !tile.view<bf16, 2>, !tile.rows<64 by gathered> -> tensor<64x128xbf16>
    %vt = tile.load %v[%g, %at] : !tile.view<bf16, 2>, !tile.rows<64 by gathered> -> tensor<64x128xbf16>
    tile.yield %kr, %kt, %vt : !tile.rows<64>, tensor<64x128xbf16>, tensor<64x128xbf16>
  } lead(%kr, %kt, %vt) {
    %s = tile.dot %qt, %kt {rhs_t} : tensor<16x128xbf16>, tensor<64x128xbf16> -> tensor<16x64xf32>
    %c = arith.mulf %s, %scales : tensor<16x64xf32>
    tile.yield %c : tensor<16x64xf32>
  } step(%kr, %kt, %vt, %c, %ma, %la, %oa) {
    %kp = tile.positions %kr : !tile.rows<64> -> tensor<64xi32>
    %ok = tile.predicate #sparsec.pattern<"k <= q">(%h, %qp, %kp, %n, %nq) : tensor<16xi32>, tensor<64xi32> -> tensor<16x64xi1>
    %sm = tile.mask %c, %ok : tensor<16x64xf32>, tensor<16x64xi1>
    %mb = tile.reduce max %sm {dim = 1} : tensor<16x64xf32> -> tensor<16xf32>
    %mn = arith.maximumf %ma, %mb : tensor<16xf32>
    %mn2 = tile.expand %mn {dim = 1} : tensor<16xf32> -> tensor<16x64xf32>
    %e = arith.subf %sm, %mn2 : tensor<16x64xf32>
    %p = math.exp %e : tensor<16x64xf32>
    %ed = arith.subf %ma, %mn : tensor<16xf32>
    %decay = math.exp %ed : tensor<16xf32>
    %ps = tile.reduce sum %p {dim = 1} : tensor<16x64xf32> -> tensor<16xf32>
    %ln = math.fma %la, %decay, %ps : tensor<16xf32>
    %decay2 = tile.expand %decay {dim = 1} : tensor<16xf32> -> tensor<16x128xf32>
    %os = arith.mulf %oa, %decay2 : tensor<16x128xf32>
    %pb = arith.truncf %p : tensor<16x64xf32> to tensor<16x64xbf16>
    %on = tile.dot %pb, %vt acc(%os : tensor<16x128xf32>) : tensor<16x64xbf16>, tensor<64x128xbf16> -> tensor<16x128xf32>
    tile.count "live_blocks" by %one
    tile.yield %mn, %ln, %on : tensor<16xf32>, tensor<16xf32>, tensor<16x128xf32>
  }
  %inverse = arith.divf %ones, %l : tensor<16xf32>
  %inverse2 = tile.expand %inverse {dim = 1} : tensor<16xf32> -> tensor<16x128xf32>
  %out = arith.mulf %o, %inverse2 : tensor<16x128xf32>
  tile.store %out, %partial[%b, %h, %qr] : tensor<16x128xf32>, !tile.view<f32, 3>, !tile.rows<16, 8>
  %logl = math.log %l : tensor<16xf32>
  %total = arith.addf %m, %logl : tensor<16xf32>
  tile.store %total, %lse[%b, %h, %qr] : tensor<16xf32>, !tile.view<f32, 2>, !tile.rows<16, 8>
  tile.return
}
