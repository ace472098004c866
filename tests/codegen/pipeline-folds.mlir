// A chain of folds becomes one pipeline: one barrier a block, the next block's copies in flight.
// RUN: sparsec-opt %S/../dialect/attention-forward.mlir --assign-encodings --pipeline-folds | FileCheck %s

// Buffers: two stages of keys and values, one of queries.
// CHECK-DAG: warp.alloc : <64x64xbf16, stages = 1, pitch = 128, swizzle>
// CHECK-DAG: %[[KS:.*]] = warp.alloc : <64x64xbf16, stages = 2, pitch = 128, swizzle>
// CHECK-DAG: %[[VS:.*]] = warp.alloc : <64x64xbf16, stages = 2, pitch = 128, swizzle>

// The prologue: queries, then the first block where there is one.
// CHECK: warp.copy %q
// CHECK-NOT: warp.wait
// CHECK: %[[LIST:.*]], %[[PARTIAL:.*]], %[[FULL:.*]], %[[END:.*]] = warp.block_row %layout
// CHECK: warp.commit
// CHECK: scf.if
// CHECK: warp.block_column %[[LIST]][%[[PARTIAL]]]
// CHECK: warp.copy %k{{.*}} : !tile.view
// CHECK: warp.copy %v{{.*}} : !tile.view
// CHECK: warp.commit
// CHECK-NEXT: warp.wait 1
// CHECK-NEXT: warp.barrier
// CHECK-NEXT: warp.load_matrix

// Partial blocks: the next block may reach past the last key.
// CHECK: scf.for %{{.*}} = %[[PARTIAL]] to %[[FULL]]
// CHECK-NEXT: warp.wait 0
// CHECK-NEXT: warp.barrier
// CHECK: scf.if
// CHECK: warp.copy %k{{.*}} to %{{[0-9]+}} :
// CHECK: warp.copy %v{{.*}} to %{{[0-9]+}} :
// CHECK: warp.block_column
// CHECK: warp.commit
// CHECK-NOT: warp.wait
// CHECK-NOT: warp.barrier
// CHECK: warp.mma {{.*}} rhs_t
// CHECK: tile.mask
// CHECK: warp.mma
// CHECK: scf.yield

// Full blocks follow without a prologue; their keys all exist, and no mask is left.
// CHECK-NOT: warp.commit
// CHECK: scf.for %{{.*}} = %[[FULL]] to %[[END]]
// CHECK-NEXT: warp.wait 0
// CHECK-NEXT: warp.barrier
// CHECK: warp.copy %k{{.*}} valid :
// CHECK: warp.copy %v{{.*}} valid :
// CHECK: warp.commit
// CHECK-NOT: tile.mask
// CHECK: scf.yield

// CHECK-NOT: warp.barrier
// CHECK: tile.store {{.*}} %out
// CHECK: %[[WANTED:.*]] = warp.present %lse
// CHECK-NEXT: scf.if %[[WANTED]]
// CHECK-NEXT: tile.store {{.*}} %lse
