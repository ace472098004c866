// What attention backward computes, from q, k, v, the gradient dO (`dout`) of out, and of each row its lse and
// delta = sum of dO out:
//
//   s = scale log2(e) q k^T     p = 2^(s - lse log2(e)) where the pattern attends, else 0
//   dp = dO v^T                 ds = p (dp - delta)
//   dq = scale ds k             dk = scale ds^T q             dv = p^T dO
//
// In two kernels, because a sum over keys and a sum over queries meet different blocks. Without dropout the compiler
// writes and lowers them (dialect/ops/attention/Backward.cpp); these hold the dialect to what it must be able to carry,
// verify, round-trip, and go through the passes that know no target.
// RUN: sparsec-opt %s | sparsec-opt | FileCheck %s
// RUN: sparsec-opt --lower-predicates --cse --canonicalize --loop-invariant-code-motion %s | FileCheck %s --check-prefix=LOWERED

// LOWERED: tile.kernel @attention_dq(
// LOWERED-NOT: tile.predicate
// LOWERED: tile.kernel @attention_dkv(
// LOWERED-NOT: tile.predicate

// dq: a block row of queries folds its keys again, here with dropout by position, which scales or drops dp.
// CHECK-LABEL: tile.kernel @attention_dq(
tile.kernel @attention_dq(%q: !tile.view<bf16, 3>, %k: !tile.view<bf16, 3>, %v: !tile.view<bf16, 3>,
                          %dout: !tile.view<bf16, 3>, %lse: !tile.view<f32, 2>, %delta: !tile.view<f32, 2>,
                          %dq: !tile.view<bf16, 3>, %layout: !tile.layout, %n: i32, %nq: i32, %q0: i32,
                          %group: i32, %scale: f32, %seed: i64, %threshold: i32, %rescale: f32)
    args ["q", "k", "v", "dout", "lse", "delta", "dq", "layout", "n", "nq", "q0", "head_group", "scale",
          "seed", "threshold", "rescale"] {
  %b, %h, %i, %r = tile.work rows of %layout : !tile.layout
  %g = arith.divui %h, %group : i32
  %qr = tile.rows #tile.order<natural>[%i] of %nq : !tile.rows<64>
  %qt = tile.load %q[%b, %h, %qr] : !tile.view<bf16, 3>, !tile.rows<64> -> tensor<64x128xbf16>
  %dot = tile.load %dout[%b, %h, %qr] : !tile.view<bf16, 3>, !tile.rows<64> -> tensor<64x128xbf16>
  %lset = tile.load %lse[%b, %h, %qr] : !tile.view<f32, 2>, !tile.rows<64> -> tensor<64xf32>
  %deltat = tile.load %delta[%b, %h, %qr] : !tile.view<f32, 2>, !tile.rows<64> -> tensor<64xf32>
  %qrow = tile.positions %qr : !tile.rows<64> -> tensor<64xi32>
  %q0s = tile.splat %q0 : i32 -> tensor<64xi32>
  %qp = arith.addi %qrow, %q0s : tensor<64xi32>
  %log2e = arith.constant 1.44269504 : f32
  %scale2 = arith.mulf %scale, %log2e : f32
  %scales = tile.splat %scale2 : f32 -> tensor<64x64xf32>
  %log2es = tile.splat %log2e : f32 -> tensor<64xf32>
  %lse2 = arith.mulf %lset, %log2es : tensor<64xf32>
  %zeros = arith.constant dense<0.0> : tensor<64x128xf32>
  %none = arith.constant dense<0.0> : tensor<64x64xf32>
  %thresholds = tile.splat %threshold : i32 -> tensor<64x64xi32>
  %rescales = tile.splat %rescale : f32 -> tensor<64x64xf32>
  %blocks = tile.blocks all %layout[%r] : !tile.blocks
  // CHECK: tile.fold
  %sum = tile.fold %j in %blocks init(%zeros) : tensor<64x128xf32> fetch {
    %kr = tile.rows #tile.order<natural>[%j] of %n : !tile.rows<64>
    %kt = tile.load %k[%b, %g, %kr] : !tile.view<bf16, 3>, !tile.rows<64> -> tensor<64x128xbf16>
    %vt = tile.load %v[%b, %g, %kr] : !tile.view<bf16, 3>, !tile.rows<64> -> tensor<64x128xbf16>
    tile.yield %kr, %kt, %vt : !tile.rows<64>, tensor<64x128xbf16>, tensor<64x128xbf16>
  } lead(%kr, %kt, %vt) {
    // Nothing here needs a carry: both products may run a block ahead.
    %s = tile.dot %qt, %kt {rhs_t} : tensor<64x128xbf16>, tensor<64x128xbf16> -> tensor<64x64xf32>
    %c = arith.mulf %s, %scales : tensor<64x64xf32>
    %dp = tile.dot %dot, %vt {rhs_t} : tensor<64x128xbf16>, tensor<64x128xbf16> -> tensor<64x64xf32>
    tile.yield %c, %dp : tensor<64x64xf32>, tensor<64x64xf32>
  } step(%kr, %kt, %vt, %c, %dp, %acc) {
    %kp = tile.positions %kr : !tile.rows<64> -> tensor<64xi32>
    %ok = tile.predicate #sparsec.pattern<"k <= q and (q - k) % 128 == 0">(%h, %qp, %kp, %n, %nq) : tensor<64xi32>, tensor<64xi32> -> tensor<64x64xi1>
    %sm = tile.mask %c, %ok : tensor<64x64xf32>, tensor<64x64xi1>
    %lse3 = tile.expand %lse2 {dim = 1} : tensor<64xf32> -> tensor<64x64xf32>
    %e = arith.subf %sm, %lse3 : tensor<64x64xf32>
    %p = math.exp2 %e : tensor<64x64xf32>
    // CHECK: tile.random %seed
    %bits = tile.random %seed(%qp, %kp) : tensor<64xi32>, tensor<64xi32> -> tensor<64x64xi32>
    %keep = arith.cmpi uge, %bits, %thresholds : tensor<64x64xi32>
    %scaled = arith.mulf %dp, %rescales : tensor<64x64xf32>
    %dpk = arith.select %keep, %scaled, %none : tensor<64x64xi1>, tensor<64x64xf32>
    %delta2 = tile.expand %deltat {dim = 1} : tensor<64xf32> -> tensor<64x64xf32>
    %dd = arith.subf %dpk, %delta2 : tensor<64x64xf32>
    %ds = arith.mulf %p, %dd : tensor<64x64xf32>
    %dsb = arith.truncf %ds : tensor<64x64xf32> to tensor<64x64xbf16>
    %next = tile.dot %dsb, %kt acc(%acc : tensor<64x128xf32>) : tensor<64x64xbf16>, tensor<64x128xbf16> -> tensor<64x128xf32>
    tile.yield %next : tensor<64x128xf32>
  }
  %scalesq = tile.splat %scale : f32 -> tensor<64x128xf32>
  %scaledq = arith.mulf %sum, %scalesq : tensor<64x128xf32>
  %out = arith.truncf %scaledq : tensor<64x128xf32> to tensor<64x128xbf16>
  tile.store %out, %dq[%b, %h, %qr] : tensor<64x128xbf16>, !tile.view<bf16, 3>, !tile.rows<64>
  tile.return
}

// dk and dv: a block of keys folds its queries, over the transposed layout and every query head that shares it; rows of
// its tiles are keys. It adds its part of dq / scale to f32 memory too, in an order that the layout fixes.
// CHECK-LABEL: tile.kernel @attention_dkv(
tile.kernel @attention_dkv(%q: !tile.view<bf16, 3>, %k: !tile.view<bf16, 3>, %v: !tile.view<bf16, 3>,
                           %dout: !tile.view<bf16, 3>, %lse: !tile.view<f32, 2>, %delta: !tile.view<f32, 2>,
                           %dq: !tile.view<f32, 3>, %dk: !tile.view<bf16, 3>, %dv: !tile.view<bf16, 3>,
                           %transposed: !tile.layout, %n: i32, %nq: i32, %q0: i32, %group: i32, %scale: f32)
    args ["q", "k", "v", "dout", "lse", "delta", "dq", "dk", "dv", "layout", "n", "nq", "q0", "head_group",
          "scale"] {
  // The head of a work item is a head of the keys; rows of the transposed layout are blocks of keys.
  %b, %g, %j, %r = tile.work rows of %transposed : !tile.layout
  %kr = tile.rows #tile.order<natural>[%j] of %n : !tile.rows<64>
  %kt = tile.load %k[%b, %g, %kr] : !tile.view<bf16, 3>, !tile.rows<64> -> tensor<64x128xbf16>
  %vt = tile.load %v[%b, %g, %kr] : !tile.view<bf16, 3>, !tile.rows<64> -> tensor<64x128xbf16>
  %kp = tile.positions %kr : !tile.rows<64> -> tensor<64xi32>
  %log2e = arith.constant 1.44269504 : f32
  %scale2 = arith.mulf %scale, %log2e : f32
  %scales = tile.splat %scale2 : f32 -> tensor<64x64xf32>
  %log2es = tile.splat %log2e : f32 -> tensor<64xf32>
  %q0s = tile.splat %q0 : i32 -> tensor<64xi32>
  %zeros = arith.constant dense<0.0> : tensor<64x128xf32>
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %first = arith.muli %g, %group : i32
  // CHECK: scf.for
  %dks, %dvs = scf.for %member = %zero to %group step %one iter_args(%dk0 = %zeros, %dv0 = %zeros) -> (tensor<64x128xf32>, tensor<64x128xf32>) : i32 {
    %h = arith.addi %first, %member : i32
    %blocks = tile.blocks all %transposed[%r] : !tile.blocks
    %dk2, %dv2 = tile.fold %i in %blocks init(%dk0, %dv0) : tensor<64x128xf32>, tensor<64x128xf32> fetch {
      %qr = tile.rows #tile.order<natural>[%i] of %nq : !tile.rows<64>
      %qt = tile.load %q[%b, %h, %qr] : !tile.view<bf16, 3>, !tile.rows<64> -> tensor<64x128xbf16>
      %dot = tile.load %dout[%b, %h, %qr] : !tile.view<bf16, 3>, !tile.rows<64> -> tensor<64x128xbf16>
      %lset = tile.load %lse[%b, %h, %qr] : !tile.view<f32, 2>, !tile.rows<64> -> tensor<64xf32>
      %deltat = tile.load %delta[%b, %h, %qr] : !tile.view<f32, 2>, !tile.rows<64> -> tensor<64xf32>
      tile.yield %qr, %qt, %dot, %lset, %deltat : !tile.rows<64>, tensor<64x128xbf16>, tensor<64x128xbf16>, tensor<64xf32>, tensor<64xf32>
    } lead(%qr, %qt, %dot, %lset, %deltat) {
      %s = tile.dot %kt, %qt {rhs_t} : tensor<64x128xbf16>, tensor<64x128xbf16> -> tensor<64x64xf32>
      %c = arith.mulf %s, %scales : tensor<64x64xf32>
      %dp = tile.dot %vt, %dot {rhs_t} : tensor<64x128xbf16>, tensor<64x128xbf16> -> tensor<64x64xf32>
      tile.yield %c, %dp : tensor<64x64xf32>, tensor<64x64xf32>
    } step(%qr, %qt, %dot, %lset, %deltat, %c, %dp, %dka, %dva) {
      %qrow = tile.positions %qr : !tile.rows<64> -> tensor<64xi32>
      %qp = arith.addi %qrow, %q0s : tensor<64xi32>
      // CHECK: tile.predicate {{.*}} {keys_first}
      %ok = tile.predicate #sparsec.pattern<"k <= q and (q - k) % 128 == 0">(%h, %qp, %kp, %n, %nq) {keys_first} : tensor<64xi32>, tensor<64xi32> -> tensor<64x64xi1>
      %sm = tile.mask %c, %ok : tensor<64x64xf32>, tensor<64x64xi1>
      %lse2 = arith.mulf %lset, %log2es : tensor<64xf32>
      // Queries are columns: what belongs to them is repeated along the rows.
      %lse3 = tile.expand %lse2 {dim = 0} : tensor<64xf32> -> tensor<64x64xf32>
      %e = arith.subf %sm, %lse3 : tensor<64x64xf32>
      %p = math.exp2 %e : tensor<64x64xf32>
      %pb = arith.truncf %p : tensor<64x64xf32> to tensor<64x64xbf16>
      %dvn = tile.dot %pb, %dot acc(%dva : tensor<64x128xf32>) : tensor<64x64xbf16>, tensor<64x128xbf16> -> tensor<64x128xf32>
      %delta2 = tile.expand %deltat {dim = 0} : tensor<64xf32> -> tensor<64x64xf32>
      %dd = arith.subf %dp, %delta2 : tensor<64x64xf32>
      %ds = arith.mulf %p, %dd : tensor<64x64xf32>
      %dsb = arith.truncf %ds : tensor<64x64xf32> to tensor<64x64xbf16>
      %dkn = tile.dot %dsb, %qt acc(%dka : tensor<64x128xf32>) : tensor<64x64xbf16>, tensor<64x128xbf16> -> tensor<64x128xf32>
      %dqp = tile.dot %dsb, %kt {lhs_t} : tensor<64x64xbf16>, tensor<64x128xbf16> -> tensor<64x128xf32>
      // CHECK: tile.accumulate {{.*}} ordered(%{{.*}})
      tile.accumulate %dqp, %dq[%b, %h, %qr] ordered(%j) : tensor<64x128xf32>, !tile.view<f32, 3>, !tile.rows<64>
      tile.yield %dkn, %dvn : tensor<64x128xf32>, tensor<64x128xf32>
    }
    scf.yield %dk2, %dv2 : tensor<64x128xf32>, tensor<64x128xf32>
  }
  %scalesk = tile.splat %scale : f32 -> tensor<64x128xf32>
  %dksc = arith.mulf %dks, %scalesk : tensor<64x128xf32>
  %dkb = arith.truncf %dksc : tensor<64x128xf32> to tensor<64x128xbf16>
  %dvb = arith.truncf %dvs : tensor<64x128xf32> to tensor<64x128xbf16>
  tile.store %dkb, %dk[%b, %g, %kr] : tensor<64x128xbf16>, !tile.view<bf16, 3>, !tile.rows<64>
  tile.store %dvb, %dv[%b, %g, %kr] : tensor<64x128xbf16>, !tile.view<bf16, 3>, !tile.rows<64>
  tile.return
}
