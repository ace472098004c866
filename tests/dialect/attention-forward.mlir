// A whole kernel: attention forward of `causal and local(128)`, bf16, 64 x 64 blocks, head dim 64,
// as it reaches a target: full blocks apart from partial ones, the predicate already arithmetic.
// RUN: sparsec-opt %s | sparsec-opt | FileCheck %s
// RUN: sparsec-opt %s -mlir-print-op-generic | sparsec-opt | FileCheck %s

// CHECK-LABEL: tile.kernel @local_head0(%q: !tile.view<bf16, 3>,
// CHECK-SAME: args ["q", "k", "v", "out", "lse"(optional), "layout", "n", "nq", "q0", "head_group", "scale"] {
tile.kernel @local_head0(%q: !tile.view<bf16, 3>, %k: !tile.view<bf16, 3>, %v: !tile.view<bf16, 3>,
                         %out: !tile.view<bf16, 3>, %lse: !tile.view<f32, 2>, %layout: !tile.layout,
                         %n: i32, %nq: i32, %q0: i32, %group: i32, %scale: f32)
    args ["q", "k", "v", "out", "lse"(optional), "layout", "n", "nq", "q0", "head_group", "scale"] {
  // CHECK: tile.work rows of %layout : !tile.layout
  %b, %h, %i, %r = tile.work rows of %layout : !tile.layout
  %g = arith.divui %h, %group : i32
  // CHECK: tile.rows #tile.order<natural>[{{.*}}] of %nq : !tile.rows<64>
  %qr = tile.rows #tile.order<natural>[%i] of %nq : !tile.rows<64>
  // CHECK: tile.load %q[{{.*}}, {{.*}}, {{.*}}] : !tile.view<bf16, 3>, !tile.rows<64> -> tensor<64x64xbf16>
  %qt = tile.load %q[%b, %h, %qr] : !tile.view<bf16, 3>, !tile.rows<64> -> tensor<64x64xbf16>

  %ninf = arith.constant dense<0xFF800000> : tensor<64xf32>
  %zero = arith.constant dense<0.0> : tensor<64xf32>
  %zeros = arith.constant dense<0.0> : tensor<64x64xf32>
  %log2e = arith.constant 1.44269504 : f32
  %scale2 = arith.mulf %scale, %log2e : f32
  %scales = tile.splat %scale2 : f32 -> tensor<64x64xf32>

  %qrow = tile.positions %qr : !tile.rows<64> -> tensor<64xi32>
  %q0s = tile.splat %q0 : i32 -> tensor<64xi32>
  %qp = arith.addi %qrow, %q0s : tensor<64xi32>
  %ns = tile.splat %n : i32 -> tensor<64xi32>
  %width = arith.constant dense<128> : tensor<64x64xi32>

  // CHECK: tile.blocks partial %layout[{{.*}}] : !tile.blocks
  %pl = tile.blocks partial %layout[%r] : !tile.blocks
  %fl = tile.blocks full %layout[%r] : !tile.blocks
  // CHECK: tile.fold %{{.*}} in %{{.*}} init(%{{.*}}, %{{.*}}, %{{.*}}) : tensor<64xf32>, tensor<64xf32>, tensor<64x64xf32> fetch {
  %m1, %l1, %o1 = tile.fold %j in %pl init(%ninf, %zero, %zeros) : tensor<64xf32>, tensor<64xf32>, tensor<64x64xf32>
    fetch {
      %kr = tile.rows #tile.order<natural>[%j] of %n : !tile.rows<64>
      %kt = tile.load %k[%b, %g, %kr] : !tile.view<bf16, 3>, !tile.rows<64> -> tensor<64x64xbf16>
      %vt = tile.load %v[%b, %g, %kr] : !tile.view<bf16, 3>, !tile.rows<64> -> tensor<64x64xbf16>
      tile.yield %kr, %kt, %vt : !tile.rows<64>, tensor<64x64xbf16>, tensor<64x64xbf16>
    // CHECK: } lead(%{{.*}}, %{{.*}}, %{{.*}}) {
    } lead(%kr, %kt, %vt) {
      // CHECK: tile.dot %{{.*}}, %{{.*}} {rhs_t} : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
      %s = tile.dot %qt, %kt {rhs_t} : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
      %c = arith.mulf %s, %scales : tensor<64x64xf32>
      tile.yield %c : tensor<64x64xf32>
    // CHECK: } step(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) {
    } step(%kr, %kt, %vt, %c, %m, %l, %o) {
      %kp = tile.positions %kr : !tile.rows<64> -> tensor<64xi32>
      %exists = arith.cmpi slt, %kp, %ns : tensor<64xi32>
      %exists2 = tile.expand %exists {dim = 0} : tensor<64xi1> -> tensor<64x64xi1>
      %q2 = tile.expand %qp {dim = 1} : tensor<64xi32> -> tensor<64x64xi32>
      %k2 = tile.expand %kp {dim = 0} : tensor<64xi32> -> tensor<64x64xi32>
      %causal = arith.cmpi sle, %k2, %q2 : tensor<64x64xi32>
      %distance = arith.subi %q2, %k2 : tensor<64x64xi32>
      %near = arith.cmpi slt, %distance, %width : tensor<64x64xi32>
      %both = arith.andi %causal, %near : tensor<64x64xi1>
      %ok = arith.andi %both, %exists2 : tensor<64x64xi1>
      // CHECK: tile.mask %{{.*}}, %{{.*}} : tensor<64x64xf32>, tensor<64x64xi1>
      %sm = tile.mask %c, %ok : tensor<64x64xf32>, tensor<64x64xi1>
      // CHECK: tile.reduce max %{{.*}} {dim = 1 : i64} : tensor<64x64xf32> -> tensor<64xf32>
      %mb = tile.reduce max %sm {dim = 1} : tensor<64x64xf32> -> tensor<64xf32>
      %mn = arith.maximumf %m, %mb : tensor<64xf32>
      %none = arith.cmpf oeq, %mn, %ninf : tensor<64xf32>
      %mz = arith.select %none, %zero, %mn : tensor<64xi1>, tensor<64xf32>
      // CHECK: tile.expand %{{.*}} {dim = 1 : i64} : tensor<64xf32> -> tensor<64x64xf32>
      %mz2 = tile.expand %mz {dim = 1} : tensor<64xf32> -> tensor<64x64xf32>
      %sz = arith.subf %sm, %mz2 : tensor<64x64xf32>
      %p = math.exp2 %sz : tensor<64x64xf32>
      %ma = arith.subf %m, %mz : tensor<64xf32>
      %a = math.exp2 %ma : tensor<64xf32>
      %ps = tile.reduce sum %p {dim = 1} : tensor<64x64xf32> -> tensor<64xf32>
      %ln = math.fma %l, %a, %ps : tensor<64xf32>
      %a2 = tile.expand %a {dim = 1} : tensor<64xf32> -> tensor<64x64xf32>
      %os = arith.mulf %o, %a2 : tensor<64x64xf32>
      %pb = arith.truncf %p : tensor<64x64xf32> to tensor<64x64xbf16>
      // CHECK: tile.dot %{{.*}}, %{{.*}} acc(%{{.*}} : tensor<64x64xf32>) : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
      %on = tile.dot %pb, %vt acc(%os : tensor<64x64xf32>) : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
      tile.yield %mn, %ln, %on : tensor<64xf32>, tensor<64xf32>, tensor<64x64xf32>
    }
  %m2, %l2, %o2 = tile.fold %j in %fl init(%m1, %l1, %o1) : tensor<64xf32>, tensor<64xf32>, tensor<64x64xf32>
    fetch {
      %kr = tile.rows #tile.order<natural>[%j] of %n : !tile.rows<64>
      %kt = tile.load %k[%b, %g, %kr] : !tile.view<bf16, 3>, !tile.rows<64> -> tensor<64x64xbf16>
      %vt = tile.load %v[%b, %g, %kr] : !tile.view<bf16, 3>, !tile.rows<64> -> tensor<64x64xbf16>
      tile.yield %kr, %kt, %vt : !tile.rows<64>, tensor<64x64xbf16>, tensor<64x64xbf16>
    } lead(%kr, %kt, %vt) {
      %s = tile.dot %qt, %kt {rhs_t} : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
      %c = arith.mulf %s, %scales : tensor<64x64xf32>
      tile.yield %c : tensor<64x64xf32>
    } step(%kr, %kt, %vt, %c, %m, %l, %o) {
      %mb = tile.reduce max %c {dim = 1} : tensor<64x64xf32> -> tensor<64xf32>
      %mn = arith.maximumf %m, %mb : tensor<64xf32>
      %none = arith.cmpf oeq, %mn, %ninf : tensor<64xf32>
      %mz = arith.select %none, %zero, %mn : tensor<64xi1>, tensor<64xf32>
      %mz2 = tile.expand %mz {dim = 1} : tensor<64xf32> -> tensor<64x64xf32>
      %sz = arith.subf %c, %mz2 : tensor<64x64xf32>
      %p = math.exp2 %sz : tensor<64x64xf32>
      %ma = arith.subf %m, %mz : tensor<64xf32>
      %a = math.exp2 %ma : tensor<64xf32>
      %ps = tile.reduce sum %p {dim = 1} : tensor<64x64xf32> -> tensor<64xf32>
      %ln = math.fma %l, %a, %ps : tensor<64xf32>
      %a2 = tile.expand %a {dim = 1} : tensor<64xf32> -> tensor<64x64xf32>
      %os = arith.mulf %o, %a2 : tensor<64x64xf32>
      %pb = arith.truncf %p : tensor<64x64xf32> to tensor<64x64xbf16>
      %on = tile.dot %pb, %vt acc(%os : tensor<64x64xf32>) : tensor<64x64xbf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
      tile.yield %mn, %ln, %on : tensor<64xf32>, tensor<64xf32>, tensor<64x64xf32>
    }

  // Rows without keys: output 0, log-sum-exp -inf.
  %empty = arith.cmpf oeq, %l2, %zero : tensor<64xf32>
  %one = arith.constant dense<1.0> : tensor<64xf32>
  %ls = arith.select %empty, %one, %l2 : tensor<64xi1>, tensor<64xf32>
  %inverse = arith.divf %one, %ls : tensor<64xf32>
  %inverse2 = tile.expand %inverse {dim = 1} : tensor<64xf32> -> tensor<64x64xf32>
  %on = arith.mulf %o2, %inverse2 : tensor<64x64xf32>
  %ob = arith.truncf %on : tensor<64x64xf32> to tensor<64x64xbf16>
  // CHECK: tile.store %{{.*}}, %out[{{.*}}, {{.*}}, {{.*}}] : tensor<64x64xbf16>, !tile.view<bf16, 3>, !tile.rows<64>
  tile.store %ob, %out[%b, %h, %qr] : tensor<64x64xbf16>, !tile.view<bf16, 3>, !tile.rows<64>
  %ln2 = arith.constant dense<0.693147182> : tensor<64xf32>
  %logl = math.log %ls : tensor<64xf32>
  %lse0 = math.fma %m2, %ln2, %logl : tensor<64xf32>
  tile.store %lse0, %lse[%b, %h, %qr] : tensor<64xf32>, !tile.view<f32, 2>, !tile.rows<64>
  // CHECK: tile.return
  tile.return
}
