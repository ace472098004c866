// Attention backward as tile programs: two kernels over rows of queries, one over rows of keys.
// RUN: sparsec-opt %s | sparsec-opt | FileCheck %s --check-prefix=OP
// RUN: sparsec-opt --expand-ops %s | FileCheck %s

// OP: sparsec.attention_backward @rows #sparsec.pattern<"k <= q"> dtype bf16 head_dim 64 value_dim 32 block 64 x 32 keys #tile.order<residue>
// OP: sparsec.attention_backward @columns over_keys #sparsec.pattern<"k <= q"> dtype f32 head_dim 16 value_dim 48 block 32 x 16

// delta reads no gradient of lse where there is none: rows past dlse_rows are 0.
// CHECK-LABEL: tile.kernel @rows_delta(
// CHECK-SAME: args ["out", "dout", "dlse"(optional), "delta", "key_order", "layout", "n", "nq", "q0", "dlse_rows"]
// CHECK: %[[GIVEN:.*]] = tile.rows #tile.order<natural>[{{.*}}] of %dlse_rows
// CHECK: tile.load %dlse[{{.*}}, %[[GIVEN]]]
// CHECK: tile.store {{.*}}, %delta[
// CHECK-LABEL: tile.kernel @rows_dq(
// CHECK-SAME: args ["q", "k", "v", "dout", "lse", "delta", "dq", "key_order", "layout", "n", "nq", "q0", "head_group", "scale"]
// CHECK: } lead(
// CHECK-COUNT-2: {rhs_t}
// CHECK: } step(
// CHECK: arith.truncf {{.*}} : tensor<64x32xf32> to tensor<64x32xbf16>
// CHECK: tile.dot {{.*}} : tensor<64x32xbf16>, tensor<32x64xbf16> -> tensor<64x64xf32>
sparsec.attention_backward @rows #sparsec.pattern<"k <= q"> dtype bf16 head_dim 64 value_dim 32 block 64 x 32 keys #tile.order<residue>

// The heads of a group are folded into the same sums; a length says whether these go on from memory, and where they end.
// CHECK-LABEL: tile.kernel @columns(
// CHECK-SAME: "dk", "dv", "dk_sums", "dv_sums", "groups", "layout"
// CHECK: %[[WORK:.*]]:3 = tile.work groups of %layout
// CHECK: %[[LENGTH:.*]] = arith.select {{.*}}, %n, %
// CHECK: %[[BEFORE:.*]] = tile.rows #tile.order<natural>[%[[WORK]]#2] of %[[LENGTH]]
// CHECK: tile.load %dk_sums[{{.*}}, %[[BEFORE]]]
// CHECK: scf.for
// CHECK: %{{.*}}, %[[ROW:.*]] = tile.layout_row %layout[%{{.*}}, %[[WORK]]#2]
// CHECK: tile.blocks all %layout[%[[ROW]]]
// CHECK: tile.predicate {{.*}} {keys_first}
// CHECK: tile.store {{.*}}, %dk_sums[
// CHECK: tile.store {{.*}}, %dv_sums[
// CHECK: tile.store {{.*}}, %dk[
// CHECK: tile.store {{.*}}, %dv[
sparsec.attention_backward @columns over_keys #sparsec.pattern<"k <= q"> dtype f32 head_dim 16 value_dim 48 block 32 x 16

// A part of dq leaves its sums and goes on from those of the part before, which left delta too.
// CHECK-NOT: @part_delta
// CHECK-LABEL: tile.kernel @part_dq(
// CHECK-SAME: "lse", "delta", "dq_sums", "layout"
// CHECK: tile.load %dq_sums[
// CHECK: tile.fold
// CHECK-NOT: arith.truncf {{.*}} : tensor<16x32xf32>
// CHECK: tile.store {{.*}}, %dq_sums[
sparsec.attention_backward @part #sparsec.pattern<"k <= q"> dtype bf16 head_dim 32 value_dim 16 block 16 x 16 prior partial

// A part leaves its sums and goes on from those of the part before; nothing is divided.
// CHECK-LABEL: tile.kernel @middle(
// CHECK-SAME: "out", "row_max", "row_sum", "prior_out", "prior_max", "prior_sum", "layout"
// CHECK-NOT: arith.divf
// CHECK: tile.store {{.*}}, %out[
// CHECK: tile.store {{.*}}, %row_max[
// CHECK: tile.store {{.*}}, %row_sum[
sparsec.attention @middle #sparsec.pattern<"k <= q"> dtype bf16 head_dim 16 value_dim 16 block 16 x 16 lse prior partial
