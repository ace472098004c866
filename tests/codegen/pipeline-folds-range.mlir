// Folds over a range: the block is the index, nothing is looked up. What goes to registers needs no stages.
// RUN: sparsec-opt %s --assign-encodings --pipeline-folds --canonicalize | FileCheck %s

// Both operands of the product are fetched, the left one transposed; the sums leave by columns.
// CHECK-LABEL: tile.kernel @product
// CHECK-DAG: warp.alloc : <32x32xbf16, stages = 2, pitch = 80>
// CHECK-DAG: warp.alloc : <32x64xbf16, stages = 2, pitch = 128, swizzle>
// CHECK: scf.if
// CHECK: warp.copy %a[%{{.*}}, cols %{{.*}}] to
// CHECK: warp.copy %b[%{{.*}}, cols %{{.*}}] to
// CHECK: warp.commit
// CHECK-NOT: warp.wait
// CHECK: scf.for %[[I:.*]] = %{{.*}} to %steps
// CHECK: warp.wait 0
// CHECK-NEXT: warp.barrier
// CHECK: %[[MORE:.*]] = arith.cmpi slt, %[[I]], %{{.*}} : i32
// CHECK: scf.if %[[MORE]]
// CHECK: warp.copy %a
// CHECK: warp.copy %b
// CHECK: warp.commit
// CHECK-NOT: warp.barrier
// CHECK: warp.mma {{.*}} lhs_t : !warp.buffer<32x32xbf16
// CHECK: scf.yield
// CHECK: tile.store {{.*}} cols
tile.kernel @product(%a: !tile.view<bf16, 1>, %b: !tile.view<bf16, 1>, %y: !tile.view<f32, 1>, %steps: i32, %n: i32, %i: i32)
    args ["a", "b", "y", "steps", "n", "i"] {
  %zero = arith.constant 0 : i32
  %zeros = arith.constant dense<0.0> : tensor<32x64xf32>
  %ir = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<32>
  %jr = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<64>
  %all = tile.range %zero to %steps : !tile.blocks
  %sum = tile.fold %s in %all init(%zeros) : tensor<32x64xf32> fetch {
    %sr = tile.rows #tile.order<natural>[%s] of %n : !tile.rows<32>
    %at = tile.load %a[%sr, cols %ir] : !tile.view<bf16, 1>, !tile.rows<32>, !tile.rows<32> -> tensor<32x32xbf16>
    %bt = tile.load %b[%sr, cols %jr] : !tile.view<bf16, 1>, !tile.rows<32>, !tile.rows<64> -> tensor<32x64xbf16>
    tile.yield %at, %bt : tensor<32x32xbf16>, tensor<32x64xbf16>
  } lead(%at, %bt) {
    tile.yield
  } step(%at, %bt, %acc) {
    %next = tile.dot %at, %bt acc(%acc : tensor<32x64xf32>) {lhs_t} : tensor<32x32xbf16>, tensor<32x64xbf16> -> tensor<32x64xf32>
    tile.yield %next : tensor<32x64xf32>
  }
  tile.store %sum, %y[%ir, cols %jr] : tensor<32x64xf32>, !tile.view<f32, 1>, !tile.rows<32>, !tile.rows<64>
  tile.return
}

// Three stages: two blocks are copied first, a group each, and a turn leaves one in flight.
// CHECK-LABEL: tile.kernel @deep
// CHECK: warp.alloc : <64x64xbf16, stages = 3
// CHECK: warp.alloc : <64x64xbf16, stages = 3
// CHECK: %[[LAST:.*]] = arith.subi %steps, %c2
// CHECK-COUNT-2: warp.commit
// CHECK: scf.for %[[I:.*]] = %{{.*}} to %steps {{.*}} iter_args(%{{.*}}, %[[STAGE:.*]] = %c0
// CHECK-NEXT: warp.wait 1
// CHECK-NEXT: warp.barrier
// CHECK: %[[NEXT:.*]] = arith.select {{.*}}, %c0
// CHECK: %[[FREE:.*]] = arith.select {{.*}}, %c2
// CHECK: %[[MORE:.*]] = arith.cmpi slt, %[[I]], %[[LAST]]
// CHECK: scf.if %[[MORE]]
// CHECK-NEXT: %[[BLOCK:.*]] = arith.addi %[[I]], %c2
// CHECK-NEXT: tile.rows #tile.order<natural>[%[[BLOCK]]]
// CHECK-NEXT: warp.stage %{{.*}}[%[[FREE]]]
// CHECK: warp.commit
// CHECK: warp.stage %{{.*}}[%[[STAGE]]]
// CHECK: warp.mma
// CHECK: scf.yield %{{.*}}, %[[NEXT]]
tile.kernel @deep(%a: !tile.view<bf16, 1>, %b: !tile.view<bf16, 1>, %y: !tile.view<f32, 1>, %steps: i32, %n: i32, %i: i32)
    args ["a", "b", "y", "steps", "n", "i"] attributes {tile.stages = 3} {
  %zero = arith.constant 0 : i32
  %zeros = arith.constant dense<0.0> : tensor<64x64xf32>
  %r = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<64>
  %all = tile.range %zero to %steps : !tile.blocks
  %sum = tile.fold %s in %all init(%zeros) : tensor<64x64xf32> fetch {
    %sr = tile.rows #tile.order<natural>[%s] of %n : !tile.rows<64>
    %at = tile.load %a[%r, cols %sr] : !tile.view<bf16, 1>, !tile.rows<64>, !tile.rows<64> -> tensor<64x64xbf16>
    %bt = tile.load %b[%sr, cols %r] : !tile.view<bf16, 1>, !tile.rows<64>, !tile.rows<64> -> tensor<64x64xbf16>
    tile.yield %at, %bt : tensor<64x64xbf16>, tensor<64x64xbf16>
  } lead(%at, %bt) {
    tile.yield
  } step(%at, %bt, %acc) {
    %next = tile.dot %at, %bt acc(%acc : tensor<64x64xf32>) : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
    tile.yield %next : tensor<64x64xf32>
  }
  tile.store %sum, %y[%r, cols %r] : tensor<64x64xf32>, !tile.view<f32, 1>, !tile.rows<64>, !tile.rows<64>
  tile.return
}

// No stages, so no barrier but the one before a vector is written over that all threads have read.
// CHECK-LABEL: tile.kernel @sums
// CHECK-NOT: {{warp.(alloc|copy|wait|commit|barrier)}}
// CHECK: scf.for
// CHECK-NEXT: tile.rows
// CHECK-NEXT: tile.load %x
// CHECK-NEXT: tile.reduce sum
// CHECK-NEXT: arith.addf
// CHECK-NEXT: scf.yield
// CHECK: warp.barrier
// CHECK-NEXT: tile.store
tile.kernel @sums(%x: !tile.view<f32, 1>, %sums: !tile.view<f32, 0>, %steps: i32, %n: i32) args ["x", "sums", "steps", "n"] {
  %zero = arith.constant 0 : i32
  %c = tile.rows #tile.order<natural>[%zero] of %n : !tile.rows<128>
  %before = tile.load %sums[%c] : !tile.view<f32, 0>, !tile.rows<128> -> tensor<128xf32>
  %all = tile.range %zero to %steps : !tile.blocks
  %sum = tile.fold %s in %all init(%before) : tensor<128xf32> fetch {
    %r = tile.rows #tile.order<natural>[%s] of %n : !tile.rows<32>
    %t = tile.load %x[%r, cols %c] : !tile.view<f32, 1>, !tile.rows<32>, !tile.rows<128> -> tensor<32x128xf32>
    tile.yield %t : tensor<32x128xf32>
  } lead(%t) {
    tile.yield
  } step(%t, %acc) {
    %d = tile.reduce sum %t {dim = 0} : tensor<32x128xf32> -> tensor<128xf32>
    %next = arith.addf %acc, %d : tensor<128xf32>
    tile.yield %next : tensor<128xf32>
  }
  tile.store %sum, %sums[%c] : tensor<128xf32>, !tile.view<f32, 0>, !tile.rows<128>
  tile.return
}
