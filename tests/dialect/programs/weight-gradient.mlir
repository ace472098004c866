// What the gradient of a block-sparse weight computes: dW = x^T dy, in the weight's live blocks alone, in f32.
//
// One work item for each live block, which folds all tokens. Nothing lowers it yet: it holds the dialect to what it must
// be able to carry: work over blocks, loads of columns, a range of tiles, a sum that nobody else adds to.
// RUN: sparsec-opt %s | sparsec-opt | FileCheck %s
// RUN: sparsec-opt --lower-predicates --cse --canonicalize --loop-invariant-code-motion %s | FileCheck %s --check-prefix=LOWERED

// LOWERED: tile.kernel @weight_gradient(

// CHECK-LABEL: tile.kernel @weight_gradient(
tile.kernel @weight_gradient(%x: !tile.view<bf16, 1>, %dy: !tile.view<bf16, 1>, %dw: !tile.view<f32, 2>,
                             %layout: !tile.layout, %tokens: i32, %in: i32, %out: i32, %tiles: i32)
    args ["x", "dy", "dw", "layout", "tokens", "in", "out", "tiles"] {
  // CHECK: tile.work blocks of %layout
  %b, %h, %i, %j, %e = tile.work blocks of %layout : !tile.layout
  %zero = arith.constant 0 : i32
  %size = arith.constant 32 : i32
  %zeros = arith.constant dense<0.0> : tensor<32x32xf32>
  %xc = tile.rows #tile.order<natural>[%i] of %in : !tile.rows<32>
  %yc = tile.rows #tile.order<natural>[%j] of %out : !tile.rows<32>
  %all = tile.range %zero to %tiles : !tile.blocks
  %sum = tile.fold %t in %all init(%zeros) : tensor<32x32xf32> fetch {
    %tr = tile.rows #tile.order<natural>[%t] of %tokens : !tile.rows<128>
    // CHECK: tile.load %x[%{{.*}}, cols %{{.*}}]
    %xt = tile.load %x[%tr, cols %xc] : !tile.view<bf16, 1>, !tile.rows<128>, !tile.rows<32> -> tensor<128x32xbf16>
    %dyt = tile.load %dy[%tr, cols %yc] : !tile.view<bf16, 1>, !tile.rows<128>, !tile.rows<32> -> tensor<128x32xbf16>
    tile.yield %xt, %dyt : tensor<128x32xbf16>, tensor<128x32xbf16>
  } lead(%xt, %dyt) {
    tile.yield
  } step(%xt, %dyt, %acc) {
    %next = tile.dot %xt, %dyt acc(%acc : tensor<32x32xf32>) {lhs_t} : tensor<128x32xbf16>, tensor<128x32xbf16> -> tensor<32x32xf32>
    tile.yield %next : tensor<32x32xf32>
  }
  %wr = tile.rows #tile.order<natural>[%zero] of %size : !tile.rows<32>
  // CHECK: tile.accumulate {{.*}} exclusive
  tile.accumulate %sum, %dw[%e, %wr] exclusive : tensor<32x32xf32>, !tile.view<f32, 2>, !tile.rows<32>
  tile.return
}
