// RUN: sparsec-opt %s | sparsec-opt | FileCheck %s
// RUN: sparsec-opt --lower-predicates --cse --canonicalize --loop-invariant-code-motion %s | FileCheck %s --check-prefix=LOWERED

// Kernels that nothing lowers yet, to hold the dialect to what it must be able to carry: both halves
// of attention backward, a weight gradient, layer norm, and decoding with grouped heads. They verify,
// round-trip, and go through the passes that are free of a target.
// LOWERED-NOT: tile.predicate

// dQ: a block row of queries folds its keys again, with dropout by position.
//   p = 2^(s - lse), dp = dO v^T, ds = p (dp - delta), dq += ds k
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

// dK and dV: a block of keys folds its queries, over the transposed layout and every query head that
// shares it; rows of its tiles are keys. It adds its part of dQ too, in an order that the layout fixes.
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

// dW = x^T dy of a block-sparse weight: one work item for each live block, which folds all tokens.
// CHECK-LABEL: tile.kernel @weight_gradient(
tile.kernel @weight_gradient(%x: !tile.view<bf16, 1>, %dy: !tile.view<bf16, 1>, %dw: !tile.view<f32, 2>,
                             %layout: !tile.layout, %tokens: i32, %in: i32, %out: i32, %tiles: i32)
    args ["x", "dy", "dw", "layout", "tokens", "in", "out", "tiles"] {
  // CHECK: tile.work blocks of %layout
  %b, %h, %i, %j, %e = tile.work blocks of %layout : !tile.layout
  %zero = arith.constant 0 : i32
  %size = arith.constant 32 : i32
  %zeros = arith.constant dense<0.0> : tensor<32x32xf32>
  %xc = tile.rows #tile.order<natural>[%i] of %in : !tile.rows<32>
  %yc = tile.rows #tile.order<natural>[%j] of %out : !tile.rows<32>
  %all = tile.range %zero to %tiles : !tile.blocks
  %sum = tile.fold %t in %all init(%zeros) : tensor<32x32xf32> fetch {
    %tr = tile.rows #tile.order<natural>[%t] of %tokens : !tile.rows<128>
    // CHECK: tile.load %x[%{{.*}}, cols %{{.*}}]
    %xt = tile.load %x[%tr, cols %xc] : !tile.view<bf16, 1>, !tile.rows<128>, !tile.rows<32> -> tensor<128x32xbf16>
    %dyt = tile.load %dy[%tr, cols %yc] : !tile.view<bf16, 1>, !tile.rows<128>, !tile.rows<32> -> tensor<128x32xbf16>
    tile.yield %xt, %dyt : tensor<128x32xbf16>, tensor<128x32xbf16>
  } lead(%xt, %dyt) {
    tile.yield
  } step(%xt, %dyt, %acc) {
    %next = tile.dot %xt, %dyt acc(%acc : tensor<32x32xf32>) {lhs_t} : tensor<128x32xbf16>, tensor<128x32xbf16> -> tensor<32x32xf32>
    tile.yield %next : tensor<32x32xf32>
  }
  %wr = tile.rows #tile.order<natural>[%zero] of %size : !tile.rows<32>
  // CHECK: tile.accumulate {{.*}} exclusive
  tile.accumulate %sum, %dw[%e, %wr] exclusive : tensor<32x32xf32>, !tile.view<f32, 2>, !tile.rows<32>
  tile.return
}

// Layer norm of rows of any width: one fold over the columns for mean and variance, one that writes.
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
  %sum, %squares = tile.fold %c in %all init(%zeros, %zeros) : tensor<16xf32>, tensor<16xf32> fetch {
    %cr = tile.rows #tile.order<natural>[%c] of %width : !tile.rows<256>
    %t = tile.load %x[%r, cols %cr] : !tile.view<bf16, 1>, !tile.rows<16>, !tile.rows<256> -> tensor<16x256xbf16>
    tile.yield %t : tensor<16x256xbf16>
  } lead(%t) {
    %f = arith.extf %t : tensor<16x256xbf16> to tensor<16x256xf32>
    %f2 = arith.mulf %f, %f : tensor<16x256xf32>
    %s = tile.reduce sum %f {dim = 1} : tensor<16x256xf32> -> tensor<16xf32>
    %s2 = tile.reduce sum %f2 {dim = 1} : tensor<16x256xf32> -> tensor<16xf32>
    tile.yield %s, %s2 : tensor<16xf32>, tensor<16xf32>
  } step(%t, %s, %s2, %a, %a2) {
    %n = arith.addf %a, %s : tensor<16xf32>
    %n2 = arith.addf %a2, %s2 : tensor<16xf32>
    tile.yield %n, %n2 : tensor<16xf32>, tensor<16xf32>
  }
  %wf = arith.sitofp %width : i32 to f32
  %ws = tile.splat %wf : f32 -> tensor<16xf32>
  %eps = tile.splat %epsilon : f32 -> tensor<16xf32>
  %mean = arith.divf %sum, %ws : tensor<16xf32>
  %square = arith.divf %squares, %ws : tensor<16xf32>
  %mean2 = arith.mulf %mean, %mean : tensor<16xf32>
  %variance = arith.subf %square, %mean2 : tensor<16xf32>
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

// Decoding with grouped heads: a tile's rows are two positions of all eight query heads that share
// keys, so one product serves the group. Keys lie in pages: their rows are gathered by a table. A
// second part of the keys starts from the first part's (lse, 1, out): no op merges.
// CHECK-LABEL: tile.kernel @grouped_decode(
tile.kernel @grouped_decode(%q: !tile.view<bf16, 3>, %k: !tile.view<bf16, 2>, %v: !tile.view<bf16, 2>,
                            %slots: !tile.view<i32, 1>, %partial: !tile.view<f32, 3>, %lse: !tile.view<f32, 2>,
                            %layout: !tile.layout, %n: i32, %nq: i32, %q0: i32, %group: i32, %scale: f32)
    args ["q", "k", "v", "slots", "partial", "lse", "layout", "n", "nq", "q0", "head_group", "scale"] {
  %b, %g, %i, %r = tile.work rows of %layout : !tile.layout
  %h = arith.muli %g, %group : i32
  // CHECK: tile.rows #tile.order<natural>[%{{.*}}] of %nq : !tile.rows<16, 8>
  %qr = tile.rows #tile.order<natural>[%i] of %nq : !tile.rows<16, 8>
  %qt = tile.load %q[%b, %h, %qr] : !tile.view<bf16, 3>, !tile.rows<16, 8> -> tensor<16x128xbf16>
  %m0 = tile.load %lse[%b, %h, %qr] : !tile.view<f32, 2>, !tile.rows<16, 8> -> tensor<16xf32>
  %o0 = tile.load %partial[%b, %h, %qr] : !tile.view<f32, 3>, !tile.rows<16, 8> -> tensor<16x128xf32>
  %qrow = tile.positions %qr : !tile.rows<16, 8> -> tensor<16xi32>
  %q0s = tile.splat %q0 : i32 -> tensor<16xi32>
  %qp = arith.addi %qrow, %q0s : tensor<16xi32>
  %ones = arith.constant dense<1.0> : tensor<16xf32>
  %scales = tile.splat %scale : f32 -> tensor<16x64xf32>
  %size = arith.constant 64 : i32
  %one = arith.constant 1 : i32
  %blocks = tile.blocks all %layout[%r] : !tile.blocks
  %m, %l, %o = tile.fold %j in %blocks init(%m0, %ones, %o0) : tensor<16xf32>, tensor<16xf32>, tensor<16x128xf32> fetch {
    %kr = tile.rows #tile.order<natural>[%j] of %n : !tile.rows<64>
    %slot = tile.load %slots[%b, %kr] : !tile.view<i32, 1>, !tile.rows<64> -> tensor<64xi32>
    %begin = arith.muli %j, %size : i32
    %left = arith.subi %n, %begin : i32
    // CHECK: tile.rows_at
    %at = tile.rows_at %slot count %left : tensor<64xi32> -> !tile.rows<64>
    %kt = tile.load %k[%g, %at] : !tile.view<bf16, 2>, !tile.rows<64> -> tensor<64x128xbf16>
    %vt = tile.load %v[%g, %at] : !tile.view<bf16, 2>, !tile.rows<64> -> tensor<64x128xbf16>
    tile.yield %kr, %kt, %vt : !tile.rows<64>, tensor<64x128xbf16>, tensor<64x128xbf16>
  } lead(%kr, %kt, %vt) {
    %s = tile.dot %qt, %kt {rhs_t} : tensor<16x128xbf16>, tensor<64x128xbf16> -> tensor<16x64xf32>
    %c = arith.mulf %s, %scales : tensor<16x64xf32>
    tile.yield %c : tensor<16x64xf32>
  } step(%kr, %kt, %vt, %c, %ma, %la, %oa) {
    %kp = tile.positions %kr : !tile.rows<64> -> tensor<64xi32>
    %ok = tile.predicate #sparsec.pattern<"k <= q">(%h, %qp, %kp, %n, %nq) : tensor<16xi32>, tensor<64xi32> -> tensor<16x64xi1>
    %sm = tile.mask %c, %ok : tensor<16x64xf32>, tensor<16x64xi1>
    %mb = tile.reduce max %sm {dim = 1} : tensor<16x64xf32> -> tensor<16xf32>
    %mn = arith.maximumf %ma, %mb : tensor<16xf32>
    %mn2 = tile.expand %mn {dim = 1} : tensor<16xf32> -> tensor<16x64xf32>
    %e = arith.subf %sm, %mn2 : tensor<16x64xf32>
    %p = math.exp %e : tensor<16x64xf32>
    %ed = arith.subf %ma, %mn : tensor<16xf32>
    %decay = math.exp %ed : tensor<16xf32>
    %ps = tile.reduce sum %p {dim = 1} : tensor<16x64xf32> -> tensor<16xf32>
    %ln = math.fma %la, %decay, %ps : tensor<16xf32>
    %decay2 = tile.expand %decay {dim = 1} : tensor<16xf32> -> tensor<16x128xf32>
    %os = arith.mulf %oa, %decay2 : tensor<16x128xf32>
    %pb = arith.truncf %p : tensor<16x64xf32> to tensor<16x64xbf16>
    %on = tile.dot %pb, %vt acc(%os : tensor<16x128xf32>) : tensor<16x64xbf16>, tensor<64x128xbf16> -> tensor<16x128xf32>
    tile.count "live_blocks" by %one
    tile.yield %mn, %ln, %on : tensor<16xf32>, tensor<16xf32>, tensor<16x128xf32>
  }
  %inverse = arith.divf %ones, %l : tensor<16xf32>
  %inverse2 = tile.expand %inverse {dim = 1} : tensor<16xf32> -> tensor<16x128xf32>
  %out = arith.mulf %o, %inverse2 : tensor<16x128xf32>
  tile.store %out, %partial[%b, %h, %qr] : tensor<16x128xf32>, !tile.view<f32, 3>, !tile.rows<16, 8>
  %logl = math.log %l : tensor<16xf32>
  %total = arith.addf %m, %logl : tensor<16xf32>
  tile.store %total, %lse[%b, %h, %qr] : tensor<16xf32>, !tile.view<f32, 2>, !tile.rows<16, 8>
  tile.return
}
