// The warp dialect as text and back, in both syntaxes.
// RUN: sparsec-opt %s | sparsec-opt | FileCheck %s
// RUN: sparsec-opt %s -mlir-print-op-generic | sparsec-opt | FileCheck %s

#acc = #warp.accumulator<warps = 4>
#lhs = #warp.lhs<warps = 4>

// CHECK-LABEL: tile.kernel @block
tile.kernel @block(%k: !tile.view<bf16, 3>, %lse: !tile.view<f32, 2>, %layout: !tile.layout, %n: i32)
    args ["k", "lse"(optional), "layout", "n"] {
  %b, %h, %i, %r = tile.work rows of %layout : !tile.layout
  // CHECK: warp.block_row %layout[{{.*}}] : !tile.layout
  %list, %partial, %full, %end = warp.block_row %layout[%r] : !tile.layout
  // CHECK: warp.block_column %{{.*}}[{{.*}}]
  %j = warp.block_column %list[%partial]
  %kr = tile.rows #tile.order<natural>[%j] of %n : !tile.rows<64>
  // CHECK: %[[KS:.*]] = warp.alloc : <64x64xbf16, stages = 2, pitch = 128, swizzle>
  %ks = warp.alloc : !warp.buffer<64x64xbf16, stages = 2, pitch = 128, swizzle>
  // CHECK: warp.alloc at 16384 : <64x64xbf16, stages = 1, pitch = 128, swizzle>
  %qs = warp.alloc at 16384 : !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>
  // CHECK: warp.alloc : <64x80xbf16, stages = 1, pitch = 176>
  %wide = warp.alloc : !warp.buffer<64x80xbf16, stages = 1, pitch = 176>
  %zero = arith.constant 0 : i32
  // CHECK: warp.stage %[[KS]][{{.*}}] : <64x64xbf16, stages = 2, pitch = 128, swizzle> -> <64x64xbf16, stages = 1, pitch = 128, swizzle>
  %now = warp.stage %ks[%zero] : !warp.buffer<64x64xbf16, stages = 2, pitch = 128, swizzle> -> !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>
  // CHECK: warp.copy %k[{{.*}}] to %{{.*}} : !tile.view<bf16, 3>, !tile.rows<64>, !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>
  warp.copy %k[%b, %h, %kr] to %now : !tile.view<bf16, 3>, !tile.rows<64>, !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>
  // CHECK: warp.copy %k[{{.*}}] to %{{.*}} valid :
  warp.copy %k[%b, %h, %kr] to %now valid : !tile.view<bf16, 3>, !tile.rows<64>, !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>
  // CHECK: warp.commit
  warp.commit
  // CHECK: warp.wait 1
  warp.wait 1
  // CHECK: warp.barrier
  warp.barrier
  // CHECK: warp.load_matrix %{{.*}} : <64x64xbf16, stages = 1, pitch = 128, swizzle> -> tensor<64x64xbf16, #warp.lhs<warps = 4>>
  %q = warp.load_matrix %qs : !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle> -> tensor<64x64xbf16, #lhs>
  %zeros = arith.constant dense<0.0> : tensor<64x64xf32, #acc>
  // CHECK: warp.mma %{{.*}}, %{{.*}}, %{{.*}} rhs_t : tensor<64x64xbf16, #warp.lhs<warps = 4>>, <64x64xbf16, stages = 1, pitch = 128, swizzle>, tensor<64x64xf32, #warp.accumulator<warps = 4>>
  %s = warp.mma %q, %now, %zeros rhs_t : tensor<64x64xbf16, #lhs>, !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>, tensor<64x64xf32, #acc>
  %p = arith.truncf %s : tensor<64x64xf32, #acc> to tensor<64x64xbf16, #acc>
  // CHECK: warp.convert %{{.*}} : tensor<64x64xbf16, #warp.accumulator<warps = 4>> -> tensor<64x64xbf16, #warp.lhs<warps = 4>>
  %a = warp.convert %p : tensor<64x64xbf16, #acc> -> tensor<64x64xbf16, #lhs>
  // CHECK: warp.mma %{{.*}}, %{{.*}}, %{{.*}} : tensor<64x64xbf16, #warp.lhs<warps = 4>>
  %o = warp.mma %a, %now, %s : tensor<64x64xbf16, #lhs>, !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>, tensor<64x64xf32, #acc>
  // CHECK: warp.present %lse : !tile.view<f32, 2>
  %wanted = warp.present %lse : !tile.view<f32, 2>
  tile.return
}
