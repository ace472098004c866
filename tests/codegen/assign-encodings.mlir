// Demands run backwards from products and stores; what is wanted by rows and by columns is made
// twice; left operands of 16-bit products are converted.
// RUN: sparsec-opt %s --assign-encodings -split-input-file -verify-diagnostics | FileCheck %s

// CHECK-LABEL: tile.kernel @attend
// CHECK-SAME: warp.warps = 2 : i32
tile.kernel @attend(%q: !tile.view<f16, 3>, %k: !tile.view<f16, 3>, %out: !tile.view<f32, 3>, %layout: !tile.layout, %n: i32)
    args ["q", "k", "out", "layout", "n"] {
  // A constant for rows and one for columns.
  // CHECK-DAG: arith.constant dense<7> : tensor<32xi32, #warp.slice<rows, warps = 2>>
  // CHECK-DAG: arith.constant dense<7> : tensor<32xi32, #warp.slice<columns, warps = 2>>
  %seven = arith.constant dense<7> : tensor<32xi32>
  // CHECK-DAG: arith.constant dense<0.000000e+00> : tensor<32x16xf32, #warp.accumulator<warps = 2>>
  %zeros = arith.constant dense<0.0> : tensor<32x16xf32>
  %b, %h, %i, %r = tile.work rows of %layout : !tile.layout
  %qr = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<32>
  // Read by products from shared memory: no encoding.
  // CHECK: tile.load %q{{.*}} -> tensor<32x16xf16>
  %qt = tile.load %q[%b, %h, %qr] : !tile.view<f16, 3>, !tile.rows<32> -> tensor<32x16xf16>
  %qp = tile.positions %qr : !tile.rows<32> -> tensor<32xi32>
  // CHECK: arith.addi %{{.*}}, %{{.*}} : tensor<32xi32, #warp.slice<rows, warps = 2>>
  %qs = arith.addi %qp, %seven : tensor<32xi32>
  %blocks = tile.blocks all %layout[%r] : !tile.blocks
  %o = tile.fold %j in %blocks init(%zeros) : tensor<32x16xf32>
    fetch {
      %kr = tile.rows #tile.order<natural>[%j] of %n : !tile.rows<32>
      %kt = tile.load %k[%b, %h, %kr] : !tile.view<f16, 3>, !tile.rows<32> -> tensor<32x16xf16>
      tile.yield %kr, %kt : !tile.rows<32>, tensor<32x16xf16>
    } lead(%kr, %kt) {
      // CHECK: tile.dot {{.*}} -> tensor<32x32xf32, #warp.accumulator<warps = 2>>
      %s = tile.dot %qt, %kt {rhs_t} : tensor<32x16xf16>, tensor<32x16xf16> -> tensor<32x32xf32>
      tile.yield %s : tensor<32x32xf32>
    } step(%kr, %kt, %s, %acc) {
      // CHECK: tile.positions %{{.*}} -> tensor<32xi32, #warp.slice<columns, warps = 2>>
      %kp = tile.positions %kr : !tile.rows<32> -> tensor<32xi32>
      %ks = arith.addi %kp, %seven : tensor<32xi32>
      %q2 = tile.expand %qs {dim = 1} : tensor<32xi32> -> tensor<32x32xi32>
      %k2 = tile.expand %ks {dim = 0} : tensor<32xi32> -> tensor<32x32xi32>
      // CHECK: arith.cmpi sle, %{{.*}}, %{{.*}} : tensor<32x32xi32, #warp.accumulator<warps = 2>>
      %ok = arith.cmpi sle, %k2, %q2 : tensor<32x32xi32>
      %sm = tile.mask %s, %ok : tensor<32x32xf32>, tensor<32x32xi1>
      %p = arith.truncf %sm : tensor<32x32xf32> to tensor<32x32xf16>
      // CHECK: warp.convert %{{.*}} : tensor<32x32xf16, #warp.accumulator<warps = 2>> -> tensor<32x32xf16, #warp.lhs<warps = 2>>
      %next = tile.dot %p, %kt acc(%acc : tensor<32x16xf32>) : tensor<32x32xf16>, tensor<32x16xf16> -> tensor<32x16xf32>
      tile.yield %next : tensor<32x16xf32>
    }
  // CHECK: tile.store %{{.*}} : tensor<32x16xf32, #warp.accumulator<warps = 2>>
  tile.store %o, %out[%b, %h, %qr] : tensor<32x16xf32>, !tile.view<f32, 3>, !tile.rows<32>
  tile.return
}

// -----

// expected-error @+1 {{expected tiles of 16 to 128 rows in steps of 16, found 0}}
tile.kernel @no_tile(%n: i32) args ["n"] {
  tile.return
}

// -----

tile.kernel @elementwise(%q: !tile.view<f16, 3>, %n: i32, %i: i32) args ["q", "n", "head_group"] {
  %qr = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<32>
  // expected-error @+1 {{a tile of products that is used elsewhere too is not lowered to warps yet}}
  %qt = tile.load %q[%i, %i, %qr] : !tile.view<f16, 3>, !tile.rows<32> -> tensor<32x32xf16>
  %s = tile.dot %qt, %qt {rhs_t} : tensor<32x32xf16>, tensor<32x32xf16> -> tensor<32x32xf32>
  tile.store %qt, %q[%i, %i, %qr] : tensor<32x32xf16>, !tile.view<f16, 3>, !tile.rows<32>
  tile.return
}

// -----

tile.kernel @columns(%q: !tile.view<f16, 3>, %l: !tile.view<f32, 2>, %n: i32, %i: i32) args ["q", "lse", "n", "head_group"] {
  %qr = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<32>
  %qt = tile.load %q[%i, %i, %qr] : !tile.view<f16, 3>, !tile.rows<32> -> tensor<32x32xf16>
  %s = tile.dot %qt, %qt {rhs_t} : tensor<32x32xf16>, tensor<32x32xf16> -> tensor<32x32xf32>
  // expected-error @+1 {{a reduction down the columns is not lowered to warps yet}}
  %m = tile.reduce max %s {dim = 0} : tensor<32x32xf32> -> tensor<32xf32>
  tile.store %m, %l[%i, %i, %qr] : tensor<32xf32>, !tile.view<f32, 2>, !tile.rows<32>
  tile.return
}
