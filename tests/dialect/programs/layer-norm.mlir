// What layer norm computes, for each row x of any width:
//
//   y = (x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon) * gain + bias
//
// A fold over the columns for the mean, one for the variance, and one that writes. The kernel that
// dialect/ops/layer_norm/ writes has the width compiled in; here it is a number at run time: work over a range, chunks of
// columns, vectors along them, a fold without carries.
// RUN: sparsec-opt %s | sparsec-opt | FileCheck %s
// RUN: sparsec-opt --lower-predicates --cse --canonicalize --loop-invariant-code-motion %s | FileCheck %s --check-prefix=LOWERED

// LOWERED: tile.kernel @layer_norm(

// CHECK-LABEL: tile.kernel @layer_norm(
tile.kernel @layer_norm(%x: !tile.view<bf16, 1>, %gain: !tile.view<f32, 0>, %bias: !tile.view<f32, 0>,
                        %y: !tile.view<bf16, 1>, %rows: i32, %width: i32, %items: i32, %chunks: i32, %epsilon: f32)
    args ["x", "gain", "bias", "y", "rows", "width", "items", "chunks", "epsilon"] {
  // CHECK: tile.work range of %items
  %i = tile.work range of %items : i32
  %r = tile.rows #tile.order<natural>[%i] of %rows : !tile.rows<16>
  %zero = arith.constant 0 : i32
  %zeros = arith.constant dense<0.0> : tensor<16xf32>
  %all = tile.range %zero to %chunks : !tile.blocks
  %sum = tile.fold %c in %all init(%zeros) : tensor<16xf32> fetch {
    %cr = tile.rows #tile.order<natural>[%c] of %width : !tile.rows<256>
    %t = tile.load %x[%r, cols %cr] : !tile.view<bf16, 1>, !tile.rows<16>, !tile.rows<256> -> tensor<16x256xbf16>
    tile.yield %t : tensor<16x256xbf16>
  } lead(%t) {
    %f = arith.extf %t : tensor<16x256xbf16> to tensor<16x256xf32>
    %s = tile.reduce sum %f {dim = 1} : tensor<16x256xf32> -> tensor<16xf32>
    tile.yield %s : tensor<16xf32>
  } step(%t, %s, %a) {
    %n = arith.addf %a, %s : tensor<16xf32>
    tile.yield %n : tensor<16xf32>
  }
  %wf = arith.sitofp %width : i32 to f32
  %ws = tile.splat %wf : f32 -> tensor<16xf32>
  %eps = tile.splat %epsilon : f32 -> tensor<16xf32>
  %mean = arith.divf %sum, %ws : tensor<16xf32>
  %centre = tile.expand %mean {dim = 1} : tensor<16xf32> -> tensor<16x256xf32>
  %squares = tile.fold %c in %all init(%zeros) : tensor<16xf32> fetch {
    %cr = tile.rows #tile.order<natural>[%c] of %width : !tile.rows<256>
    %t = tile.load %x[%r, cols %cr] : !tile.view<bf16, 1>, !tile.rows<16>, !tile.rows<256> -> tensor<16x256xbf16>
    tile.yield %cr, %t : !tile.rows<256>, tensor<16x256xbf16>
  } lead(%cr, %t) {
    tile.yield
  } step(%cr, %t, %a) {
    %f = arith.extf %t : tensor<16x256xbf16> to tensor<16x256xf32>
    %d = arith.subf %f, %centre : tensor<16x256xf32>
    // Columns that there are not read as 0, which is not the mean.
    %cp = tile.positions %cr : !tile.rows<256> -> tensor<256xi32>
    %end = tile.splat %width : i32 -> tensor<256xi32>
    %is = arith.cmpi slt, %cp, %end : tensor<256xi32>
    %exists = tile.expand %is {dim = 0} : tensor<256xi1> -> tensor<16x256xi1>
    %none = arith.constant dense<0.0> : tensor<16x256xf32>
    %d1 = arith.select %exists, %d, %none : tensor<16x256xi1>, tensor<16x256xf32>
    %d2 = arith.mulf %d1, %d1 : tensor<16x256xf32>
    %s = tile.reduce sum %d2 {dim = 1} : tensor<16x256xf32> -> tensor<16xf32>
    %n = arith.addf %a, %s : tensor<16xf32>
    tile.yield %n : tensor<16xf32>
  }
  %variance = arith.divf %squares, %ws : tensor<16xf32>
  %shifted = arith.addf %variance, %eps : tensor<16xf32>
  %inverse = math.rsqrt %shifted : tensor<16xf32>
  %means = tile.expand %mean {dim = 1} : tensor<16xf32> -> tensor<16x256xf32>
  %inverses = tile.expand %inverse {dim = 1} : tensor<16xf32> -> tensor<16x256xf32>
  // A fold without carries whose steps write.
  tile.fold %c in %all init() fetch {
    %cr = tile.rows #tile.order<natural>[%c] of %width : !tile.rows<256>
    %t = tile.load %x[%r, cols %cr] : !tile.view<bf16, 1>, !tile.rows<16>, !tile.rows<256> -> tensor<16x256xbf16>
    %gt = tile.load %gain[%cr] : !tile.view<f32, 0>, !tile.rows<256> -> tensor<256xf32>
    %bt = tile.load %bias[%cr] : !tile.view<f32, 0>, !tile.rows<256> -> tensor<256xf32>
    tile.yield %cr, %t, %gt, %bt : !tile.rows<256>, tensor<16x256xbf16>, tensor<256xf32>, tensor<256xf32>
  } lead(%cr, %t, %gt, %bt) {
    tile.yield
  } step(%cr, %t, %gt, %bt) {
    %f = arith.extf %t : tensor<16x256xbf16> to tensor<16x256xf32>
    %centred = arith.subf %f, %means : tensor<16x256xf32>
    %unit = arith.mulf %centred, %inverses : tensor<16x256xf32>
    %g2 = tile.expand %gt {dim = 0} : tensor<256xf32> -> tensor<16x256xf32>
    %b2 = tile.expand %bt {dim = 0} : tensor<256xf32> -> tensor<16x256xf32>
    %out = math.fma %unit, %g2, %b2 : tensor<16x256xf32>
    %outb = arith.truncf %out : tensor<16x256xf32> to tensor<16x256xbf16>
    // CHECK: tile.store %{{.*}}, %y[%{{.*}}, cols %{{.*}}]
    tile.store %outb, %y[%r, cols %cr] : tensor<16x256xbf16>, !tile.view<bf16, 1>, !tile.rows<16>, !tile.rows<256>
    tile.yield
  }
  tile.return
}
