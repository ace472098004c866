// Sums of more than 16 rows a warp leave 16 rows at a time, with all that is done to them on the way.
// RUN: sparsec-opt %s --assign-encodings --pipeline-folds --store-in-parts --canonicalize --cse | FileCheck %s

// A tile of 64 x 128 in four warps of 32 x 64: two parts. The bias belongs to columns and is loaded once.
// CHECK-LABEL: tile.kernel @layer
// CHECK: %[[SUM:.*]]:2 = scf.for
// CHECK: tile.load %bias{{.*}} -> tensor<128xf32, #warp.slice<columns, #[[TILE:.*]]>>
// CHECK: %[[FIRST:.*]] = warp.part %[[SUM]]#0 : {{.*}} -> tensor<64x128xf32, #warp.part<0 of 2, <warps = 4, rows = 32, across = 2>>>
// CHECK: tile.expand
// CHECK: tile.load %y
// CHECK: tile.store
// CHECK: %[[SECOND:.*]] = warp.part %[[SUM]]#0 : {{.*}} -> tensor<64x128xf32, #warp.part<1 of 2, <warps = 4, rows = 32, across = 2>>>
// CHECK: tile.expand
// CHECK-NOT: tile.load %bias
// CHECK: tile.load %y
// CHECK: tile.store
// CHECK-NOT: tile.store
// CHECK: tile.return
tile.kernel @layer(%a: !tile.view<bf16, 1>, %b: !tile.view<bf16, 1>, %bias: !tile.view<f32, 0>, %y: !tile.view<f32, 1>, %steps: i32, %n: i32, %i: i32)
    args ["a", "b", "bias", "y", "steps", "n", "i"] {
  %zero = arith.constant 0 : i32
  %zeros = arith.constant dense<0.0> : tensor<64x128xf32>
  %r = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<64>
  %c = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<128>
  %all = tile.range %zero to %steps : !tile.blocks
  %sum = tile.fold %s in %all init(%zeros) : tensor<64x128xf32> fetch {
    %sr = tile.rows #tile.order<natural>[%s] of %n : !tile.rows<64>
    %at = tile.load %a[%r, cols %sr] : !tile.view<bf16, 1>, !tile.rows<64>, !tile.rows<64> -> tensor<64x64xbf16>
    %bt = tile.load %b[%sr, cols %c] : !tile.view<bf16, 1>, !tile.rows<64>, !tile.rows<128> -> tensor<64x128xbf16>
    tile.yield %at, %bt : tensor<64x64xbf16>, tensor<64x128xbf16>
  } lead(%at, %bt) {
    tile.yield
  } step(%at, %bt, %acc) {
    %next = tile.dot %at, %bt acc(%acc : tensor<64x128xf32>) : tensor<64x64xbf16>, tensor<64x128xbf16> -> tensor<64x128xf32>
    tile.yield %next : tensor<64x128xf32>
  }
  %of = tile.load %bias[%c] : !tile.view<f32, 0>, !tile.rows<128> -> tensor<128xf32>
  %each = tile.expand %of {dim = 0} : tensor<128xf32> -> tensor<64x128xf32>
  %before = tile.load %y[%r, cols %c] : !tile.view<f32, 1>, !tile.rows<64>, !tile.rows<128> -> tensor<64x128xf32>
  %x = arith.addf %sum, %each : tensor<64x128xf32>
  %z = arith.addf %x, %before : tensor<64x128xf32>
  tile.store %z, %y[%r, cols %c] : tensor<64x128xf32>, !tile.view<f32, 1>, !tile.rows<64>, !tile.rows<128>
  tile.return
}
