// What one thread does of each operation.
// RUN: sparsec-opt %s --allocate-shared --warp-to-llvm -canonicalize -split-input-file | FileCheck %s

#acc = #warp.accumulator<warps = 2>
#rows = #warp.slice<rows, #warp.accumulator<warps = 2>>
#columns = #warp.slice<columns, #warp.accumulator<warps = 2>>
#lhs = #warp.lhs<warps = 2>

// The kernel is a function of the argument struct; threads and shared memory are known.
// CHECK: llvm.mlir.global external @sparsec_shared() {addr_space = 3 : i32, alignment = 1024 : i64}
// CHECK-LABEL: llvm.func @elementwise
// CHECK-SAME: !llvm.ptr {llvm.align = 8 : i64, llvm.byval = !llvm.struct<(ptr<1>, array<3 x i64>, i32, i32)>
// CHECK-SAME: nvvm.grid_constant
// CHECK-SAME: nvvm.kernel
// CHECK-SAME: nvvm.maxntid = array<i32: 64>
tile.kernel @elementwise(%out: !tile.view<f32, 3>, %n: i32, %i: i32) args ["out", "n", "head_group"] attributes {warp.warps = 2 : i32} {
  %qr = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<32>
  %zeros = arith.constant dense<1.0> : tensor<32x16xf32, #acc>
  %qp = tile.positions %qr : !tile.rows<32> -> tensor<32xi32, #rows>
  %kr = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<16>
  %kp = tile.positions %kr : !tile.rows<16> -> tensor<16xi32, #columns>
  // Rows: element i belongs to row i / 2 % 2; columns: two of each eight.
  // CHECK-DAG: llvm.shufflevector {{.*}} [0, 0, 1, 1, 0, 0, 1, 1] : vector<2xi32>
  // CHECK-DAG: llvm.shufflevector {{.*}} [0, 1, 0, 1, 2, 3, 2, 3] : vector<4xi32>
  %q2 = tile.expand %qp {dim = 1} : tensor<32xi32, #rows> -> tensor<32x16xi32, #acc>
  %k2 = tile.expand %kp {dim = 0} : tensor<16xi32, #columns> -> tensor<32x16xi32, #acc>
  // CHECK: arith.cmpi sle, %{{.*}}, %{{.*}} : vector<8xi32>
  %ok = arith.cmpi sle, %k2, %q2 : tensor<32x16xi32, #acc>
  // CHECK: arith.select %{{.*}}, %{{.*}}, %{{.*}} : vector<8xi1>, vector<8xf32>
  %s = tile.mask %zeros, %ok : tensor<32x16xf32, #acc>, tensor<32x16xi1, #acc>
  // A row of 16 columns: three maxima within the thread, two across the quad.
  // CHECK-COUNT-3: llvm.intr.maxnum
  // CHECK: nvvm.shfl.sync bfly
  // CHECK: llvm.intr.maxnum
  // CHECK: nvvm.shfl.sync bfly
  // CHECK: llvm.intr.maxnum
  %m = tile.reduce max %s {dim = 1} : tensor<32x16xf32, #acc> -> tensor<32xf32, #rows>
  // CHECK-COUNT-2: llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"
  %e = math.exp2 %m : tensor<32xf32, #rows>
  %e2 = tile.expand %e {dim = 1} : tensor<32xf32, #rows> -> tensor<32x16xf32, #acc>
  // Rows past the end are not written; pairs of columns are.
  // CHECK: llvm.icmp "ult"
  // CHECK: scf.if
  // CHECK-COUNT-2: llvm.store %{{.*}} {alignment = 8 : i64} : vector<2xf32>, !llvm.ptr<1>
  // CHECK: llvm.icmp "ult"
  // CHECK: scf.if
  // CHECK-COUNT-2: llvm.store %{{.*}} {alignment = 8 : i64} : vector<2xf32>, !llvm.ptr<1>
  tile.store %e2, %out[%i, %i, %qr] : tensor<32x16xf32, #acc>, !tile.view<f32, 3>, !tile.rows<32>
  // CHECK: llvm.return
  tile.return
}

// -----

#acc = #warp.accumulator<warps = 2>
#lhs = #warp.lhs<warps = 2>

// 64 threads copy 32 rows of 64 bytes: four chunks a row, two passes of 16 rows.
// CHECK-LABEL: llvm.func @product
tile.kernel @product(%q: !tile.view<bf16, 3>, %out: !tile.view<f32, 3>, %n: i32, %i: i32) args ["q", "out", "n", "head_group"] attributes {warp.warps = 2 : i32} {
  %qr = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<32>
  %qs = warp.alloc : !warp.buffer<32x32xbf16, stages = 1, pitch = 80>
  // CHECK: llvm.select
  // CHECK: nvvm.cp.async.shared.global %{{.*}}, %{{.*}}, 16, cache = cg, %{{.*}}
  // CHECK: llvm.select
  // CHECK: nvvm.cp.async.shared.global %{{.*}}, %{{.*}}, 16, cache = cg, %{{.*}}
  // CHECK-NOT: nvvm.cp.async.shared
  warp.copy %q[%i, %i, %qr] to %qs : !tile.view<bf16, 3>, !tile.rows<32>, !warp.buffer<32x32xbf16, stages = 1, pitch = 80>
  // CHECK: nvvm.cp.async.commit.group
  warp.commit
  // CHECK: nvvm.cp.async.wait.group 0
  warp.wait 0
  // CHECK: nvvm.barrier0
  warp.barrier
  // CHECK-COUNT-2: nvvm.ldmatrix %{{.*}} {eltType = {{.*}}, layout = #nvvm.mma_layout<row>, num = 4 : i32
  %a = warp.load_matrix %qs : !warp.buffer<32x32xbf16, stages = 1, pitch = 80> -> tensor<32x32xbf16, #lhs>
  %zeros = arith.constant dense<0.0> : tensor<32x32xf32, #acc>
  // q q^T: stored as products want it. 2 steps of depth, 2 pairs of instructions each.
  // CHECK: nvvm.ldmatrix {{.*}} layout = #nvvm.mma_layout<row>
  // CHECK: nvvm.mma.sync
  // CHECK: nvvm.mma.sync
  // CHECK: nvvm.ldmatrix
  %s = warp.mma %a, %qs, %zeros rhs_t : tensor<32x32xbf16, #lhs>, !warp.buffer<32x32xbf16, stages = 1, pitch = 80>, tensor<32x32xf32, #acc>
  %p = arith.truncf %s : tensor<32x32xf32, #acc> to tensor<32x32xbf16, #acc>
  // CHECK-COUNT-8: llvm.call_intrinsic "llvm.nvvm.ff2bf16x2.rn"
  %pa = warp.convert %p : tensor<32x32xbf16, #acc> -> tensor<32x32xbf16, #lhs>
  // p q: transposed on the way.
  // CHECK: nvvm.ldmatrix {{.*}} layout = #nvvm.mma_layout<col>
  // CHECK: nvvm.mma.sync
  %o = warp.mma %pa, %qs, %zeros : tensor<32x32xbf16, #lhs>, !warp.buffer<32x32xbf16, stages = 1, pitch = 80>, tensor<32x32xf32, #acc>
  tile.store %o, %out[%i, %i, %qr] : tensor<32x32xf32, #acc>, !tile.view<f32, 3>, !tile.rows<32>
  tile.return
}

// -----

#acc = #warp.accumulator<warps = 1>

// f32: no tensor cores, so no rounding to tf32; p comes from the quad.
// CHECK-LABEL: llvm.func @wide
tile.kernel @wide(%out: !tile.view<f32, 3>, %n: i32, %i: i32) args ["out", "n", "head_group"] attributes {warp.warps = 1 : i32} {
  %qr = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<16>
  %qs = warp.alloc : !warp.buffer<16x16xf32, stages = 1, pitch = 80>
  %zeros = arith.constant dense<0.0> : tensor<16x16xf32, #acc>
  // CHECK-NOT: nvvm.mma.sync
  // CHECK: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xf32>
  // CHECK: llvm.intr.fma
  %s = warp.mma %qs, %qs, %zeros rhs_t : !warp.buffer<16x16xf32, stages = 1, pitch = 80>, !warp.buffer<16x16xf32, stages = 1, pitch = 80>, tensor<16x16xf32, #acc>
  // CHECK: nvvm.shfl.sync idx
  // CHECK: llvm.load %{{.*}} {alignment = 8 : i64} : !llvm.ptr<3> -> vector<2xf32>
  %o = warp.mma %s, %qs, %zeros : tensor<16x16xf32, #acc>, !warp.buffer<16x16xf32, stages = 1, pitch = 80>, tensor<16x16xf32, #acc>
  tile.store %o, %out[%i, %i, %qr] : tensor<16x16xf32, #acc>, !tile.view<f32, 3>, !tile.rows<16>
  tile.return
}

// -----

#acc = #warp.accumulator<warps = 1>
#rows = #warp.slice<rows, #warp.accumulator<warps = 1>>

// Work over a range: an item is a thread block, and what it means is the program's own arithmetic.
// CHECK-LABEL: llvm.func @range
// CHECK: %[[X:.*]] = nvvm.read.ptx.sreg.ctaid.x : i32
// CHECK-NOT: ctaid
// CHECK: arith.divui %[[X]], %{{.*}} : i32
// CHECK: llvm.return
tile.kernel @range(%x: !tile.view<f32, 3>, %y: !tile.view<f32, 2>, %items: i32, %tiles: i32, %n: i32) args ["x", "y", "items", "tiles", "n"] attributes {warp.warps = 1 : i32} {
  %i = tile.work range of %items : i32
  %head = arith.divui %i, %tiles : i32
  %tile = arith.remui %i, %tiles : i32
  %zero = arith.constant 0 : i32
  %rows = tile.rows #tile.order<natural>[%tile] of %n : !tile.rows<16>
  %t = tile.load %x[%zero, %head, %rows] : !tile.view<f32, 3>, !tile.rows<16> -> tensor<16x32xf32, #acc>
  %sum = tile.reduce sum %t {dim = 1} : tensor<16x32xf32, #acc> -> tensor<16xf32, #rows>
  tile.store %sum, %y[%zero, %head, %rows] : tensor<16xf32, #rows>, !tile.view<f32, 2>, !tile.rows<16>
  tile.return
}

// -----

#acc = #warp.accumulator<warps = 1>
#rows = #warp.slice<rows, #warp.accumulator<warps = 1>>

// A tile to registers, for what is done element by element: pairs of neighbours, in the rows that
// exist.
// CHECK-LABEL: llvm.func @sums
tile.kernel @sums(%q: !tile.view<bf16, 3>, %sums: !tile.view<f32, 2>, %n: i32, %i: i32) args ["q", "sums", "n", "head_group"] attributes {warp.warps = 1 : i32} {
  %qr = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<16>
  // CHECK: llvm.icmp "ult"
  // CHECK: scf.if %{{.*}} -> (bf16, bf16, bf16, bf16)
  // CHECK-COUNT-2: llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr<1> -> vector<2xbf16>
  // CHECK: else
  // CHECK: scf.if %{{.*}} -> (bf16, bf16, bf16, bf16)
  // CHECK-COUNT-2: llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr<1> -> vector<2xbf16>
  %t = tile.load %q[%i, %i, %qr] : !tile.view<bf16, 3>, !tile.rows<16> -> tensor<16x16xbf16, #acc>
  // CHECK: arith.extf %{{.*}} : vector<8xbf16> to vector<8xf32>
  %w = arith.extf %t : tensor<16x16xbf16, #acc> to tensor<16x16xf32, #acc>
  %s = tile.reduce sum %w {dim = 1} : tensor<16x16xf32, #acc> -> tensor<16xf32, #rows>
  tile.store %s, %sums[%i, %i, %qr] : tensor<16xf32, #rows>, !tile.view<f32, 2>, !tile.rows<16>
  tile.return
}

// -----

#acc = #warp.accumulator<warps = 1>
#columns = #warp.slice<columns, #warp.accumulator<warps = 1>>

// Groups of heads: a head's row of the tables, and of its closed form, by its place in the launch.
// CHECK-LABEL: llvm.func @groups
tile.kernel @groups(%lse: !tile.view<f32, 2>, %out: !tile.view<f32, 3>, %numbers: !tile.numbers, %layout: !tile.layout, %n: i32)
    args ["lse", "out", "numbers", "layout", "n"] attributes {warp.warps = 1 : i32} {
  // Without an order the first rows come first.
  // CHECK: %[[X:.*]] = nvvm.read.ptx.sreg.ctaid.x
  // CHECK: %[[I:.*]] = scf.if
  // CHECK-NEXT: scf.yield %[[X]]
  // CHECK: else
  // CHECK: scf.yield
  %b, %g, %i = tile.work groups of %layout : !tile.layout
  // CHECK: %[[PLACE:.*]] = llvm.load %{{.*}} invariant {alignment = 4 : i64} : !llvm.ptr<1> -> i32
  %place = tile.number %numbers[%g]
  // CHECK: %[[SKIPPED:.*]] = llvm.mul %[[PLACE]], %{{.*}} : i32
  // CHECK: llvm.mul %[[PLACE]], %{{.*}} : i32
  // CHECK: llvm.add %[[SKIPPED]], %[[I]] : i32
  %h, %r = tile.layout_row %layout[%place, %i] : !tile.layout
  // CHECK: scf.if
  // CHECK: else
  // CHECK: llvm.mul %[[PLACE]], %{{.*}} : i32
  %list, %partial, %full, %end = warp.block_row %layout[%r] of %place : !tile.layout
  %qr = tile.rows #tile.order<natural>[%end] of %n : !tile.rows<16>
  // One value per column, in one branch; rows that do not exist read row 0, which does.
  // CHECK: llvm.icmp "sgt"
  // CHECK: scf.if %{{.*}} -> (f32, f32, f32, f32)
  // CHECK-COUNT-4: llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr<1> -> f32
  // CHECK-NOT: scf.if
  // CHECK: else
  %l = tile.load %lse[%b, %h, %qr] : !tile.view<f32, 2>, !tile.rows<16> -> tensor<16xf32, #columns>
  %l2 = tile.expand %l {dim = 0} : tensor<16xf32, #columns> -> tensor<16x16xf32, #acc>
  tile.store %l2, %out[%b, %h, %qr] : tensor<16x16xf32, #acc>, !tile.view<f32, 3>, !tile.rows<16>
  tile.return
}

// -----

#acc = #warp.accumulator<warps = 2>

// Left operand stored by depth: transposed on the way, the warp's rows are two chunks. By columns: a branch for all
// threads between chunks, of which each copies what exists, and single elements through registers.
// CHECK-LABEL: llvm.func @by_columns
tile.kernel @by_columns(%a: !tile.view<bf16, 1>, %y: !tile.view<f32, 1>, %n: i32, %i: i32) args ["a", "y", "n", "i"] attributes {warp.warps = 2 : i32} {
  %r = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<32>
  %as = warp.alloc : !warp.buffer<32x32xbf16, stages = 1, pitch = 80>
  // CHECK: llvm.ptrtoint
  // CHECK: %[[ALIGNED:.*]] = llvm.icmp "eq"
  // CHECK: scf.if %[[ALIGNED]]
  // CHECK: llvm.intr.smin
  // CHECK: nvvm.cp.async.shared.global %{{.*}}, %{{.*}}, 16, cache = cg, %{{.*}}
  // CHECK: } else {
  // CHECK-NOT: cp.async
  // CHECK: scf.for
  // CHECK-COUNT-4: llvm.load %{{.*}} {alignment = 2 : i64} : !llvm.ptr<1> -> i16
  // CHECK-COUNT-4: llvm.store %{{.*}} {alignment = 2 : i64} : i16, !llvm.ptr<3>
  warp.copy %a[%r, cols %r] to %as : !tile.view<bf16, 1>, !tile.rows<32>, !tile.rows<32>, !warp.buffer<32x32xbf16, stages = 1, pitch = 80>
  %zeros = arith.constant dense<0.0> : tensor<32x32xf32, #acc>
  // CHECK: nvvm.ldmatrix {{.*}} layout = #nvvm.mma_layout<col>
  // CHECK: nvvm.ldmatrix {{.*}} layout = #nvvm.mma_layout<col>
  // CHECK: nvvm.mma.sync
  %s = warp.mma %as, %as, %zeros lhs_t : !warp.buffer<32x32xbf16, stages = 1, pitch = 80>, !warp.buffer<32x32xbf16, stages = 1, pitch = 80>, tensor<32x32xf32, #acc>
  // Whole tiles leave two columns at a time, others one by one.
  // CHECK: scf.if
  // CHECK-COUNT-8: llvm.store %{{.*}} : vector<2xf32>, !llvm.ptr<1>
  // CHECK: } else {
  // CHECK-COUNT-16: llvm.store %{{.*}} : f32, !llvm.ptr<1>
  tile.store %s, %y[%r, cols %r] : tensor<32x32xf32, #acc>, !tile.view<f32, 1>, !tile.rows<32>, !tile.rows<32>
  tile.return
}

// -----

#stripes = #warp.striped<warps = 2, across = 16, vector = 4>
#columns = #warp.slice<columns, #warp.striped<warps = 2, across = 16, vector = 4>>

// Down the columns: within the thread, between the two rows of a warp, between warps. The first exchange of a kernel
// has nobody to wait for, the second has.
// CHECK-LABEL: llvm.func @down
tile.kernel @down(%x: !tile.view<f32, 1>, %y: !tile.view<f32, 0>, %n: i32, %i: i32) args ["x", "y", "n", "i"] attributes {warp.warps = 2 : i32} {
  %r = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<8>
  %c = tile.rows #tile.order<natural>[%i] of %n : !tile.rows<64>
  // CHECK: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
  %t = tile.load %x[%r, cols %c] : !tile.view<f32, 1>, !tile.rows<8>, !tile.rows<64> -> tensor<8x64xf32, #stripes>
  // CHECK: nvvm.shfl.sync bfly
  // CHECK-NOT: nvvm.barrier0
  // CHECK: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<3>
  // CHECK: nvvm.barrier0
  // There are as many columns as threads: each is added up by one.
  // CHECK-COUNT-2: llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr<3> -> f32
  // CHECK: llvm.store %{{.*}} {alignment = 4 : i64} : f32, !llvm.ptr<3>
  // CHECK: nvvm.barrier0
  // CHECK: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xf32>
  %s = tile.reduce sum %t {dim = 0} : tensor<8x64xf32, #stripes> -> tensor<64xf32, #columns>
  // CHECK: nvvm.barrier0
  // CHECK: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<3>
  // CHECK: nvvm.barrier0
  %m = tile.reduce max %t {dim = 0} : tensor<8x64xf32, #stripes> -> tensor<64xf32, #columns>
  tile.store %m, %y[%c] : tensor<64xf32, #columns>, !tile.view<f32, 0>, !tile.rows<64>
  tile.store %s, %y[%c] : tensor<64xf32, #columns>, !tile.view<f32, 0>, !tile.rows<64>
  tile.return
}
