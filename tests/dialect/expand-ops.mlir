// RUN: sparsec-opt --expand-ops %s | FileCheck %s
// RUN: sparsec-opt --expand-ops %s | FileCheck %s --check-prefix=F32

// bf16: q's heads share keys by division, scores in units of ln 2, one fold over all live blocks,
// probabilities rounded for the second product, a store of the log-sum-exp that may be skipped.
// CHECK-LABEL: tile.kernel @causal_head0(
// CHECK-SAME: args ["q", "k", "v", "out", "lse"(optional), "layout", "n", "nq", "q0", "head_group", "scale"] {
// CHECK: %[[WORK:.*]]:4 = tile.work rows of %layout : !tile.layout
// CHECK: %[[KV:.*]] = arith.divui %[[WORK]]#1, %head_group : i32
// CHECK: %[[ROWS:.*]] = tile.rows #tile.order<natural>[%[[WORK]]#2] of %nq : !tile.rows<64>
// CHECK: %[[Q:.*]] = tile.load %q[%[[WORK]]#0, %[[WORK]]#1, %[[ROWS]]]
// CHECK: %[[QP:.*]] = arith.addi {{.*}} : tensor<64xi32>
// CHECK: arith.constant 1.44269502 : f32
// CHECK: tile.blocks all %layout[%[[WORK]]#3] : !tile.blocks
// CHECK: tile.fold %j in
// CHECK: tile.rows #tile.order<natural>[%j] of %n : !tile.rows<32>
// CHECK: tile.load %k[%[[WORK]]#0, %[[KV]], {{.*}} -> tensor<32x64xbf16>
// CHECK: tile.load %v[%[[WORK]]#0, %[[KV]], {{.*}} -> tensor<32x80xbf16>
// CHECK: } lead(
// CHECK: tile.dot %[[Q]], {{.*}} {rhs_t} : tensor<64x64xbf16>, tensor<32x64xbf16> -> tensor<64x32xf32>
// CHECK: } step(%[[KR:.*]], %{{.*}}, %[[V:.*]], %[[C:.*]], %[[M:.*]], %[[L:.*]], %[[O:.*]]) {
// CHECK: %[[KP:.*]] = tile.positions %[[KR]]
// CHECK: %[[OK:.*]] = tile.predicate #sparsec.pattern<"k <= q">(%[[WORK]]#1, %[[QP]], %[[KP]], %n, %nq)
// CHECK: tile.mask %[[C]], %[[OK]]
// CHECK: %[[P:.*]] = math.exp2 {{.*}} : tensor<64x32xf32>
// CHECK: math.fma %[[L]],
// CHECK: arith.truncf %[[P]] : tensor<64x32xf32> to tensor<64x32xbf16>
// CHECK: tile.dot {{.*}}, %[[V]] acc({{.*}} : tensor<64x80xf32>) : tensor<64x32xbf16>, tensor<32x80xbf16> -> tensor<64x80xf32>
// CHECK: tile.store {{.*}}, %out[%[[WORK]]#0, %[[WORK]]#1, %[[ROWS]]] : tensor<64x80xbf16>
// CHECK: math.log
// CHECK: tile.store {{.*}}, %lse[%[[WORK]]#0, %[[WORK]]#1, %[[ROWS]]] : tensor<64xf32>
// CHECK: tile.return
sparsec.attention @causal_head0 #sparsec.pattern<"k <= q">
    dtype bf16 head_dim 64 value_dim 80 block 64 x 32 lse

// f32: nothing is rounded. Without `lse` the kernel has no such argument.
// F32-LABEL: tile.kernel @dense_head0(
// F32-SAME: args ["q", "k", "v", "out", "layout",
// F32-NOT: arith.truncf
// F32: tile.store {{.*}}, %out
// F32-NOT: tile.store
// F32: tile.return
// F32-NOT: sparsec.attention
sparsec.attention @dense_head0 #sparsec.pattern<"True">
    dtype f32 head_dim 16 value_dim 16 block 16 x 16
