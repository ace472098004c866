// Demands run backwards from products and stores; what is wanted by rows and by columns is made
// twice; left operands of 16-bit products are converted.
// RUN: sparsec-opt %s --assign-encodings -split-input-file -verify-diagnostics | FileCheck %s

// CHECK-LABEL: tile.kernel @attend
// CHECK-SAME: warp.warps = 2 : i32
tile.kernel @attend(%q: !tile.view<f16, 3>, %k: !tile.view<f16, 3>, %out: !tile.view<f32, 3>, %layout: !tile.layout, %n: i32)
    args ["q", "k", "out", "layout", "n"] {
  // A constant for rows and one for columns.
  // CHECK-DAG: arith.constant dense<7> : tensor<32xi32, #warp.slice<rows, #warp.accumulator<warps = 2>>>
  // CHECK-DAG: arith.constant dense<7> : tensor<32xi32, #warp.slice<columns, #warp.accumulator<warps = 2>>>
  %seven = arith.constant dense<7> : tensor<32xi32>
  // CHECK-DAG: arith.constant dense<0.000000e+00> : tensor<32x16xf32, #warp.accumulator<warps = 2>>
  %zeros = arith.constant dense<0.0> : tensor<32x16xf32>
  %b, %h, %i, %r = tile.work rows of %layout : !tile.layout
  %qr = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<32>
  // Read by products from shared memory: no encoding.
  // CHECK: tile.load %q{{.*}} -> tensor<32x16xf16>
  %qt = tile.load %q[%b, %h, %qr] : !tile.view<f16, 3>, !tile.rows<32> -> tensor<32x16xf16>
  %qp = tile.positions %qr : !tile.rows<32> -> tensor<32xi32>
  // CHECK: arith.addi %{{.*}}, %{{.*}} : tensor<32xi32, #warp.slice<rows, #warp.accumulator<warps = 2>>>
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
      // CHECK: tile.positions %{{.*}} -> tensor<32xi32, #warp.slice<columns, #warp.accumulator<warps = 2>>>
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

// A loop around a fold: what goes round in both is one accumulator. A fetched vector that belongs to the
// columns is loaded to registers, by both names that it has.
// CHECK-LABEL: tile.kernel @group
tile.kernel @group(%k: !tile.view<f16, 3>, %q: !tile.view<f16, 3>, %lse: !tile.view<f32, 2>, %sums: !tile.view<f32, 3>, %layout: !tile.layout, %n: i32, %nq: i32)
    args ["k", "q", "lse", "sums", "layout", "n", "nq"] {
  %zero = arith.constant 0 : i32
  %one = arith.constant 1 : i32
  %b, %g, %i = tile.work groups of %layout : !tile.layout
  %kr = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<32>
  %kt = tile.load %k[%b, %g, %kr] : !tile.view<f16, 3>, !tile.rows<32> -> tensor<32x16xf16>
  // CHECK: %[[START:.*]] = tile.load %sums{{.*}} -> tensor<32x16xf32, #warp.accumulator<warps = 2>>
  %start = tile.load %sums[%b, %g, %kr] : !tile.view<f32, 3>, !tile.rows<32> -> tensor<32x16xf32>
  // CHECK: scf.for {{.*}} iter_args(%[[SUM:.*]] = %[[START]]) -> (tensor<32x16xf32, #warp.accumulator<warps = 2>>)
  %sum = scf.for %m = %zero to %n step %one iter_args(%before = %start) -> (tensor<32x16xf32>) : i32 {
    %h, %r = tile.layout_row %layout[%m, %i] : !tile.layout
    %blocks = tile.blocks all %layout[%r] : !tile.blocks
    // CHECK: tile.fold {{.*}} init(%[[SUM]]) : tensor<32x16xf32, #warp.accumulator<warps = 2>>
    %next = tile.fold %j in %blocks init(%before) : tensor<32x16xf32> fetch {
      %qr = tile.rows #tile.order<natural>[%j] of %nq : !tile.rows<32>
      // CHECK: tile.load %q{{.*}} -> tensor<32x16xf16>
      %qt = tile.load %q[%b, %h, %qr] : !tile.view<f16, 3>, !tile.rows<32> -> tensor<32x16xf16>
      // CHECK: tile.load %lse{{.*}} -> tensor<32xf32, #warp.slice<columns, #warp.accumulator<warps = 2>>>
      %l = tile.load %lse[%b, %h, %qr] : !tile.view<f32, 2>, !tile.rows<32> -> tensor<32xf32>
      tile.yield %qt, %l : tensor<32x16xf16>, tensor<32xf32>
    } lead(%qt, %l) {
      %s = tile.dot %kt, %qt {rhs_t} : tensor<32x16xf16>, tensor<32x16xf16> -> tensor<32x32xf32>
      tile.yield %s : tensor<32x32xf32>
    } step(%qt, %l, %s, %acc) {
      // CHECK: tile.expand %{{.*}} {dim = 0 : i64} : tensor<32xf32, #warp.slice<columns, #warp.accumulator<warps = 2>>>
      %l2 = tile.expand %l {dim = 0} : tensor<32xf32> -> tensor<32x32xf32>
      %d = arith.subf %s, %l2 : tensor<32x32xf32>
      %p = arith.truncf %d : tensor<32x32xf32> to tensor<32x32xf16>
      %o = tile.dot %p, %qt acc(%acc : tensor<32x16xf32>) : tensor<32x32xf16>, tensor<32x16xf16> -> tensor<32x16xf32>
      tile.yield %o : tensor<32x16xf32>
    }
    // CHECK: scf.yield %{{.*}} : tensor<32x16xf32, #warp.accumulator<warps = 2>>
    scf.yield %next : tensor<32x16xf32>
  }
  tile.store %sum, %sums[%b, %g, %kr] : tensor<32x16xf32>, !tile.view<f32, 3>, !tile.rows<32>
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

// What is reduced down the columns belongs to them, though there are as many of them as rows.
// CHECK-LABEL: tile.kernel @columns
tile.kernel @columns(%q: !tile.view<f16, 3>, %l: !tile.view<f32, 2>, %n: i32, %i: i32) args ["q", "lse", "n", "head_group"] {
  %qr = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<32>
  %qt = tile.load %q[%i, %i, %qr] : !tile.view<f16, 3>, !tile.rows<32> -> tensor<32x32xf16>
  %s = tile.dot %qt, %qt {rhs_t} : tensor<32x32xf16>, tensor<32x32xf16> -> tensor<32x32xf32>
  // CHECK: tile.reduce max %{{.*}} : tensor<32x32xf32, #warp.accumulator<warps = 2>> -> tensor<32xf32, #warp.slice<columns, #warp.accumulator<warps = 2>>>
  %m = tile.reduce max %s {dim = 0} : tensor<32x32xf32> -> tensor<32xf32>
  // CHECK: arith.addf %{{.*}} : tensor<32xf32, #warp.slice<columns, #warp.accumulator<warps = 2>>>
  %m2 = arith.addf %m, %m : tensor<32xf32>
  tile.store %m2, %l[%i, %i, %qr] : tensor<32xf32>, !tile.view<f32, 2>, !tile.rows<32>
  tile.return
}

// -----

// Without products a warp holds whole rows: 32 lanes with runs of 16 bytes of the smallest type, and as many
// warps as leave a thread 16 elements. A vector in memory belongs to the axis of its size.
// CHECK-LABEL: tile.kernel @stripes
// CHECK-SAME: warp.warps = 8 : i32
tile.kernel @stripes(%x: !tile.view<bf16, 1>, %gain: !tile.view<f32, 0>, %y: !tile.view<f32, 1>, %n: i32, %i: i32) args ["x", "gain", "y", "n", "i"] {
  %r = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<16>
  %c = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<256>
  // CHECK: tile.load %x{{.*}} -> tensor<16x256xbf16, #warp.striped<warps = 8, across = 32, vector = 8>>
  %t = tile.load %x[%r, cols %c] : !tile.view<bf16, 1>, !tile.rows<16>, !tile.rows<256> -> tensor<16x256xbf16>
  %f = arith.extf %t : tensor<16x256xbf16> to tensor<16x256xf32>
  // CHECK: tile.load %gain{{.*}} -> tensor<256xf32, #warp.slice<columns, #warp.striped<warps = 8, across = 32, vector = 8>>>
  %g = tile.load %gain[%c] : !tile.view<f32, 0>, !tile.rows<256> -> tensor<256xf32>
  %gs = tile.expand %g {dim = 0} : tensor<256xf32> -> tensor<16x256xf32>
  %p = arith.mulf %f, %gs : tensor<16x256xf32>
  tile.store %p, %y[%r, cols %c] : tensor<16x256xf32>, !tile.view<f32, 1>, !tile.rows<16>, !tile.rows<256>
  tile.return
}

// -----

// Narrow rows share a warp; vectors alone have a lane for each element.
// CHECK-LABEL: tile.kernel @narrow
tile.kernel @narrow(%x: !tile.view<f32, 1>, %n: i32, %i: i32) args ["x", "n", "i"] {
  %r = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<64>
  %c = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<48>
  // CHECK: #warp.striped<warps = 8, across = 4, vector = 4>
  %t = tile.load %x[%r, cols %c] : !tile.view<f32, 1>, !tile.rows<64>, !tile.rows<48> -> tensor<64x48xf32>
  tile.store %t, %x[%r, cols %c] : tensor<64x48xf32>, !tile.view<f32, 1>, !tile.rows<64>, !tile.rows<48>
  tile.return
}

// CHECK-LABEL: tile.kernel @vectors
tile.kernel @vectors(%x: !tile.view<f32, 0>, %n: i32, %i: i32) args ["x", "n", "i"] {
  %r = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<1024>
  // CHECK: tensor<1024xf32, #warp.slice<rows, #warp.striped<warps = 2, across = 1, vector = 1>>>
  %t = tile.load %x[%r] : !tile.view<f32, 0>, !tile.rows<1024> -> tensor<1024xf32>
  tile.store %t, %x[%r] : tensor<1024xf32>, !tile.view<f32, 0>, !tile.rows<1024>
  tile.return
}

// -----

// A fetched tile has one place.
tile.kernel @fetched(%k: !tile.view<f16, 3>, %out: !tile.view<f16, 3>, %layout: !tile.layout, %n: i32) args ["k", "out", "layout", "n"] {
  %b, %h, %i, %r = tile.work rows of %layout : !tile.layout
  %kr = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<16>
  %kt = tile.load %k[%b, %h, %kr] : !tile.view<f16, 3>, !tile.rows<16> -> tensor<16x16xf16>
  %zeros = arith.constant dense<0.0> : tensor<16x16xf16>
  %blocks = tile.blocks all %layout[%r] : !tile.blocks
  %sum = tile.fold %j in %blocks init(%zeros) : tensor<16x16xf16> fetch {
    %jr = tile.rows #tile.order<natural>[%j] of %n : !tile.rows<16>
    // expected-error @+1 {{a tile of products that is used elsewhere too is not lowered to warps yet}}
    %t = tile.load %k[%b, %h, %jr] : !tile.view<f16, 3>, !tile.rows<16> -> tensor<16x16xf16>
    tile.yield %t : tensor<16x16xf16>
  } lead(%t) {
    %s = tile.dot %kt, %t {rhs_t} : tensor<16x16xf16>, tensor<16x16xf16> -> tensor<16x16xf32>
    tile.yield %s : tensor<16x16xf32>
  } step(%t, %s, %acc) {
    %narrow = arith.truncf %s : tensor<16x16xf32> to tensor<16x16xf16>
    %a = arith.addf %t, %narrow : tensor<16x16xf16>
    %next = arith.addf %a, %acc : tensor<16x16xf16>
    tile.yield %next : tensor<16x16xf16>
  }
  tile.store %sum, %out[%b, %h, %kr] : tensor<16x16xf16>, !tile.view<f16, 3>, !tile.rows<16>
  tile.return
}
