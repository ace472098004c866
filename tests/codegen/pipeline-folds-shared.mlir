// A left operand too large for registers stays in shared memory: no group, wait and barrier of its
// own before the loop, whose first ones cover it.
// RUN: sparsec-opt %s --tile-pipeline --assign-encodings --pipeline-folds | FileCheck %s

// CHECK: %[[QS:.*]] = warp.alloc : <64x256xbf16, stages = 1, pitch = 512, swizzle>
// CHECK: warp.copy %q
// CHECK-NOT: warp.commit
// CHECK: warp.copy %k
// CHECK: warp.commit
// CHECK-NOT: warp.wait
// CHECK: scf.for
// CHECK-NEXT: warp.wait 0
// CHECK-NEXT: warp.barrier
// CHECK: warp.mma %[[QS]]
sparsec.attention @wide #sparsec.pattern<"k <= q"> dtype bf16 head_dim 256 value_dim 256 block 64 x 32 lse
