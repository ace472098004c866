// Folds in a loop, as the gradients of keys and values want them: the heads of a group are folded one
// after the other into the same sums.
// RUN: sparsec-opt %s --tile-pipeline --assign-encodings --pipeline-folds -split-input-file -verify-diagnostics | FileCheck %s

// What stays is copied once, outside; starts of sums are loaded to registers.
// CHECK-LABEL: tile.kernel @keys
// CHECK: warp.copy %k[
// CHECK: warp.copy %v[
// CHECK: tile.load %dk_sums{{.*}} -> tensor<64x64xf32, #warp.accumulator<warps = 4>>
// CHECK: scf.for

// Each turn has a list of its own head, and a barrier before its first copies: some may still compute
// the last block of the turn before.
// CHECK: %[[HEAD:.*]], %[[ROW:.*]] = tile.layout_row %layout[%[[PLACE:.*]], %
// CHECK-NOT: warp.copy
// CHECK: warp.barrier
// CHECK-NEXT: %[[LIST:.*]], %[[PARTIAL:.*]], %[[FULL:.*]], %[[END:.*]] = warp.block_row %layout[%[[ROW]]] of %[[PLACE]]
// CHECK: warp.commit
// CHECK: warp.copy %q[
// CHECK: warp.copy %dout[
// CHECK: warp.commit
// CHECK-NEXT: warp.wait 1
// CHECK-NEXT: warp.barrier

// One value per query waits in shared memory until the products are done that do not need it.
// CHECK: scf.for %{{.*}} = %[[PARTIAL]] to %[[FULL]]
// CHECK-NEXT: warp.wait 0
// CHECK-NEXT: warp.barrier
// CHECK: scf.if
// CHECK: warp.copy_vector %lse[{{.*}} to %{{.*}} : {{.*}}, <1x32xf32, stages = 1
// CHECK: warp.copy_vector %delta[
// CHECK-NOT: tile.load
// CHECK: warp.commit
// CHECK-NOT: warp.load_vector
// CHECK: warp.mma
// CHECK: warp.mma
// CHECK: warp.load_vector {{.*}} -> tensor<32xf32, #warp.slice<columns, #warp.accumulator<warps = 4>>>
// CHECK: math.exp2
// CHECK-NEXT: warp.load_vector
// CHECK: warp.mma

// The keys of a full block all exist, its queries need not.
// CHECK: scf.for %{{.*}} = %[[FULL]] to %[[END]]
// CHECK-NOT: valid
// CHECK: scf.yield
// CHECK: tile.store {{.*}} %dk_sums
sparsec.attention_backward @keys over_keys #sparsec.pattern<"k <= q"> dtype bf16 head_dim 64 value_dim 64 block 32 x 64

// -----

tile.kernel @stays(%q: !tile.view<f16, 3>, %out: !tile.view<f32, 3>, %n: i32) args ["q", "out", "n"] {
  %zeros = arith.constant dense<0.0> : tensor<16x16xf32>
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %r = tile.rows #tile.order<natural>[%zero] of %n : !tile.rows<16>
  %sum = scf.for %h = %zero to %n step %one iter_args(%acc = %zeros) -> (tensor<16x16xf32>) : i32 {
    // expected-error @+1 {{a tile of products that is loaded in a loop, outside a fold, is not lowered to warps yet}}
    %t = tile.load %q[%zero, %h, %r] : !tile.view<f16, 3>, !tile.rows<16> -> tensor<16x16xf16>
    %next = tile.dot %t, %t acc(%acc : tensor<16x16xf32>) {rhs_t} : tensor<16x16xf16>, tensor<16x16xf16> -> tensor<16x16xf32>
    scf.yield %next : tensor<16x16xf32>
  }
  tile.store %sum, %out[%zero, %zero, %r] : tensor<16x16xf32>, !tile.view<f32, 3>, !tile.rows<16>
  tile.return
}
