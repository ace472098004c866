// Several tiles that stay: queries and the gradient of the output, as the gradient of queries wants
// them. Both wait for their copies once; those that fit go on to registers.
// RUN: sparsec-opt %s --tile-pipeline --assign-encodings --pipeline-folds --allocate-shared | FileCheck %s
// RUN: sed 's/x64xbf16>/x96xbf16>/g; s/x64xf32>/x96xf32>/g' %s | sparsec-opt --tile-pipeline --assign-encodings --pipeline-folds --allocate-shared | FileCheck %s --check-prefix=BOTH
// RUN: sed 's/x64xbf16>/x144xbf16>/g; s/x64xf32>/x144xf32>/g' %s | sparsec-opt --tile-pipeline --assign-encodings --pipeline-folds | FileCheck %s --check-prefix=WIDE

// Fetched twice, then resident, in the order of the loads.
// CHECK-LABEL: tile.kernel @dq
// CHECK: %[[KS:.*]] = warp.alloc at 0 : <32x64xbf16, stages = 2
// CHECK: %[[VS:.*]] = warp.alloc at 8192 : <32x64xbf16, stages = 2
// CHECK: %[[QS:.*]] = warp.alloc at 16384 : <64x64xbf16, stages = 1
// CHECK: %[[DOS:.*]] = warp.alloc at 24576 : <64x64xbf16, stages = 1
// CHECK: warp.copy %q{{.*}} to %[[QS]]
// CHECK: warp.copy %dout{{.*}} to %[[DOS]]
// CHECK: tile.load %lse{{.*}} -> tensor<64xf32, #warp.slice<rows, #warp.accumulator<warps = 2, rows = 32>>>
// CHECK: warp.commit
// CHECK: warp.copy %k
// CHECK: warp.copy %v
// CHECK: warp.commit
// CHECK-NEXT: warp.wait 1
// CHECK-NEXT: warp.barrier
// CHECK-NEXT: %[[Q:.*]] = warp.load_matrix %[[QS]]
// CHECK-NOT: warp.load_matrix
// CHECK: scf.for
// CHECK-NEXT: warp.wait 0
// CHECK-NEXT: warp.barrier
// CHECK: warp.mma %[[Q]], %{{.*}} rhs_t
// CHECK: warp.mma %[[DOS]], %{{.*}} rhs_t
// CHECK: warp.mma %{{.*}} : tensor<64x32xbf16, #warp.lhs<warps = 2, rows = 32>>, <32x64xbf16
// CHECK: tile.store {{.*}} %dq

// At head dim 96 a warp has 16 rows, and both tiles go to registers.
// BOTH: %[[QS:.*]] = warp.alloc {{.*}} : <64x96xbf16, stages = 1
// BOTH: %[[DOS:.*]] = warp.alloc {{.*}} : <64x96xbf16, stages = 1
// BOTH: warp.wait 1
// BOTH-NEXT: warp.barrier
// BOTH-NEXT: %[[Q:.*]] = warp.load_matrix %[[QS]]
// BOTH-NEXT: %[[DO:.*]] = warp.load_matrix %[[DOS]]
// BOTH: warp.mma %[[Q]], %{{.*}} rhs_t
// BOTH: warp.mma %[[DO]], %{{.*}} rhs_t

// At head dim 144 there is room for the first one only; products read the other where it is.
// WIDE: %[[QS:.*]] = warp.alloc : <64x144xbf16, stages = 1
// WIDE-NEXT: %[[DOS:.*]] = warp.alloc : <64x144xbf16, stages = 1
// WIDE: %[[Q:.*]] = warp.load_matrix %[[QS]]
// WIDE-NOT: warp.load_matrix
// WIDE: warp.mma %[[Q]], %{{.*}} rhs_t
// WIDE: warp.mma %[[DOS]], %{{.*}} rhs_t
tile.kernel @dq(%q: !tile.view<bf16, 3>, %k: !tile.view<bf16, 3>, %v: !tile.view<bf16, 3>,
                %dout: !tile.view<bf16, 3>, %lse: !tile.view<f32, 2>, %delta: !tile.view<f32, 2>,
                %dq: !tile.view<bf16, 3>, %layout: !tile.layout, %n: i32, %nq: i32, %scale: f32)
    args ["q", "k", "v", "dout", "lse", "delta", "dq", "layout", "n", "nq", "scale"] {
  %b, %h, %i, %r = tile.work rows of %layout : !tile.layout
  %qr = tile.rows #tile.order<natural>[%i] of %nq : !tile.rows<64>
  %qt = tile.load %q[%b, %h, %qr] : !tile.view<bf16, 3>, !tile.rows<64> -> tensor<64x64xbf16>
  %dot = tile.load %dout[%b, %h, %qr] : !tile.view<bf16, 3>, !tile.rows<64> -> tensor<64x64xbf16>
  %lset = tile.load %lse[%b, %h, %qr] : !tile.view<f32, 2>, !tile.rows<64> -> tensor<64xf32>
  %deltat = tile.load %delta[%b, %h, %qr] : !tile.view<f32, 2>, !tile.rows<64> -> tensor<64xf32>
  %qp = tile.positions %qr : !tile.rows<64> -> tensor<64xi32>
  %scales = tile.splat %scale : f32 -> tensor<64x32xf32>
  %zeros = arith.constant dense<0.0> : tensor<64x64xf32>
  %blocks = tile.blocks all %layout[%r] : !tile.blocks
  %sum = tile.fold %j in %blocks init(%zeros) : tensor<64x64xf32> fetch {
    %kr = tile.rows #tile.order<natural>[%j] of %n : !tile.rows<32>
    %kt = tile.load %k[%b, %h, %kr] : !tile.view<bf16, 3>, !tile.rows<32> -> tensor<32x64xbf16>
    %vt = tile.load %v[%b, %h, %kr] : !tile.view<bf16, 3>, !tile.rows<32> -> tensor<32x64xbf16>
    tile.yield %kr, %kt, %vt : !tile.rows<32>, tensor<32x64xbf16>, tensor<32x64xbf16>
  } lead(%kr, %kt, %vt) {
    %s = tile.dot %qt, %kt {rhs_t} : tensor<64x64xbf16>, tensor<32x64xbf16> -> tensor<64x32xf32>
    %c = arith.mulf %s, %scales : tensor<64x32xf32>
    %dp = tile.dot %dot, %vt {rhs_t} : tensor<64x64xbf16>, tensor<32x64xbf16> -> tensor<64x32xf32>
    tile.yield %c, %dp : tensor<64x32xf32>, tensor<64x32xf32>
  } step(%kr, %kt, %vt, %c, %dp, %acc) {
    %kp = tile.positions %kr : !tile.rows<32> -> tensor<32xi32>
    %ok = tile.predicate #sparsec.pattern<"k <= q">(%h, %qp, %kp, %n, %nq) : tensor<64xi32>, tensor<32xi32> -> tensor<64x32xi1>
    %sm = tile.mask %c, %ok : tensor<64x32xf32>, tensor<64x32xi1>
    %lse2 = tile.expand %lset {dim = 1} : tensor<64xf32> -> tensor<64x32xf32>
    %e = arith.subf %sm, %lse2 : tensor<64x32xf32>
    %p = math.exp2 %e : tensor<64x32xf32>
    %delta2 = tile.expand %deltat {dim = 1} : tensor<64xf32> -> tensor<64x32xf32>
    %d = arith.subf %dp, %delta2 : tensor<64x32xf32>
    %ds = arith.mulf %p, %d : tensor<64x32xf32>
    %narrow = arith.truncf %ds : tensor<64x32xf32> to tensor<64x32xbf16>
    %next = tile.dot %narrow, %kt acc(%acc : tensor<64x64xf32>) : tensor<64x32xbf16>, tensor<32x64xbf16> -> tensor<64x64xf32>
    tile.yield %next : tensor<64x64xf32>
  }
  %out = arith.truncf %sum : tensor<64x64xf32> to tensor<64x64xbf16>
  tile.store %out, %dq[%b, %h, %qr] : tensor<64x64xbf16>, !tile.view<bf16, 3>, !tile.rows<64>
  tile.return
}
