// What the verifiers of the warp dialect refuse.
// RUN: sparsec-opt %s -split-input-file -verify-diagnostics

func.func private @collide() {
  // expected-error @+1 {{rows collide in the banks of shared memory: expected a pitch of an odd number of 16-byte chunks without swizzle, found 128}}
  %0 = warp.alloc : !warp.buffer<64x64xbf16, stages = 1, pitch = 128>
  return
}

// -----

func.func private @collide_swizzled() {
  // expected-error @+1 {{expected a pitch of a multiple of 128 bytes under swizzle, found 176}}
  %0 = warp.alloc : !warp.buffer<64x80xbf16, stages = 1, pitch = 176, swizzle>
  return
}

// -----

func.func private @short_pitch() {
  // expected-error @+1 {{expected a pitch of a multiple of 16 and at least 128 bytes, found 112}}
  %0 = warp.alloc : !warp.buffer<64x64xbf16, stages = 1, pitch = 112>
  return
}

// -----

func.func private @element() {
  // expected-error @+1 {{expected f16, bf16 or f32 elements, found 'i32'}}
  %0 = warp.alloc : !warp.buffer<64x64xi32, stages = 1, pitch = 256, swizzle>
  return
}

// -----

func.func private @shape() {
  // expected-error @+1 {{expected multiples of 16 rows and columns, found 60 x 64}}
  %0 = warp.alloc : !warp.buffer<60x64xbf16, stages = 1, pitch = 128, swizzle>
  return
}

// -----

func.func private @stages() {
  // expected-error @+1 {{expected at least one stage, found 0}}
  %0 = warp.alloc : !warp.buffer<64x64xbf16, stages = 0, pitch = 128, swizzle>
  return
}

// -----

func.func private @rank() {
  // expected-error @+1 {{expected rows x columns x element}}
  %0 = warp.alloc : !warp.buffer<64xbf16, stages = 1, pitch = 128, swizzle>
  return
}

// -----

func.func @stage(%b: !warp.buffer<64x64xbf16, stages = 2, pitch = 128, swizzle>, %i: i32) {
  // expected-error @+1 {{expected the result '!warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>', found}}
  %0 = warp.stage %b[%i] : !warp.buffer<64x64xbf16, stages = 2, pitch = 128, swizzle> -> !warp.buffer<64x64xbf16, stages = 2, pitch = 128, swizzle>
  return
}

// -----

func.func @copy_stages(%v: !tile.view<bf16, 3>, %r: !tile.rows<64>, %i: i32, %b: !warp.buffer<64x64xbf16, stages = 2, pitch = 128, swizzle>) {
  // expected-error @+1 {{expected a buffer of one stage; pick one by warp.stage}}
  warp.copy %v[%i, %i, %r] to %b : !tile.view<bf16, 3>, !tile.rows<64>, !warp.buffer<64x64xbf16, stages = 2, pitch = 128, swizzle>
  return
}

// -----

func.func @copy_element(%v: !tile.view<f16, 3>, %r: !tile.rows<64>, %i: i32, %b: !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>) {
  // expected-error @+1 {{expected a buffer of 'f16', found 'bf16'}}
  warp.copy %v[%i, %i, %r] to %b : !tile.view<f16, 3>, !tile.rows<64>, !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>
  return
}

// -----

func.func @copy_view(%v: !tile.view<bf16, 2>, %r: !tile.rows<64>, %i: i32, %b: !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>) {
  // expected-error @+1 {{expected 1 indices before the rows, found 2}}
  warp.copy %v[%i, %i, %r] to %b : !tile.view<bf16, 2>, !tile.rows<64>, !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>
  return
}

// -----

func.func @copy_rows(%v: !tile.view<bf16, 3>, %r: !tile.rows<32>, %i: i32, %b: !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>) {
  // expected-error @+1 {{expected a buffer of 32 rows, found 64}}
  warp.copy %v[%i, %i, %r] to %b : !tile.view<bf16, 3>, !tile.rows<32>, !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>
  return
}

// -----

func.func @copy_columns(%v: !tile.view<bf16, 1>, %r: !tile.rows<64>, %c: !tile.rows<32>, %b: !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>) {
  // expected-error @+1 {{expected a buffer of 32 columns, found 64}}
  warp.copy %v[%r, cols %c] to %b : !tile.view<bf16, 1>, !tile.rows<64>, !tile.rows<32>, !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>
  return
}

// -----

func.func @copy_columns_order(%v: !tile.view<bf16, 1>, %r: !tile.rows<64>, %c: !tile.rows<64 by residue>, %b: !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>) {
  // expected-error @+1 {{expected columns in their natural order}}
  warp.copy %v[%r, cols %c] to %b : !tile.view<bf16, 1>, !tile.rows<64>, !tile.rows<64 by residue>, !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>
  return
}

// -----

func.func @wait() {
  // expected-error @+1 {{attribute 'pending' failed to satisfy constraint: 32-bit signless integer attribute whose value is non-negative}}
  warp.wait -1
  return
}

// -----

func.func @load_encoding(%b: !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>) {
  // expected-error @+1 {{expected a result of encoding #warp.lhs, found #warp.accumulator<warps = 4>}}
  %0 = warp.load_matrix %b : !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle> -> tensor<64x64xbf16, #warp.accumulator<warps = 4>>
  return
}

// -----

func.func @load_rows(%b: !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>) {
  // expected-error @+1 {{expected 16 rows a warp and a multiple of 16 columns, found}}
  %0 = warp.load_matrix %b : !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle> -> tensor<64x64xbf16, #warp.lhs<warps = 2>>
  return
}

// -----

func.func @load_wide(%b: !warp.buffer<64x32xf32, stages = 1, pitch = 128, swizzle>) {
  // expected-error @+1 {{expected a buffer of one stage and 16-bit elements}}
  %0 = warp.load_matrix %b : !warp.buffer<64x32xf32, stages = 1, pitch = 128, swizzle> -> tensor<64x32xf32, #warp.lhs<warps = 4>>
  return
}

// -----

func.func @load_shape(%b: !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>) {
  // expected-error @+1 {{expected the shape and element of}}
  %0 = warp.load_matrix %b : !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle> -> tensor<64x32xbf16, #warp.lhs<warps = 4>>
  return
}

// -----

func.func @mma_lhs(%a: tensor<64x64xbf16, #warp.accumulator<warps = 4>>, %b: !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>, %c: tensor<64x64xf32, #warp.accumulator<warps = 4>>) {
  // expected-error @+1 {{expected a left operand of encoding #warp.lhs, found}}
  %0 = warp.mma %a, %b, %c : tensor<64x64xbf16, #warp.accumulator<warps = 4>>, !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>, tensor<64x64xf32, #warp.accumulator<warps = 4>>
  return
}

// -----

func.func @mma_warps(%a: tensor<32x64xbf16, #warp.lhs<warps = 2>>, %b: !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>, %c: tensor<64x64xf32, #warp.accumulator<warps = 4>>) {
  // expected-error @+1 {{expected operand and result in the same number of warps}}
  %0 = warp.mma %a, %b, %c : tensor<32x64xbf16, #warp.lhs<warps = 2>>, !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>, tensor<64x64xf32, #warp.accumulator<warps = 4>>
  return
}

// -----

func.func @mma_depth(%a: tensor<64x32xbf16, #warp.lhs<warps = 4>>, %b: !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>, %c: tensor<64x64xf32, #warp.accumulator<warps = 4>>) {
  // expected-error @+1 {{expected operands of one depth, found 32 and 64}}
  %0 = warp.mma %a, %b, %c : tensor<64x32xbf16, #warp.lhs<warps = 4>>, !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>, tensor<64x64xf32, #warp.accumulator<warps = 4>>
  return
}

// -----

func.func @mma_lhs_t(%a: tensor<64x64xbf16, #warp.lhs<warps = 4>>, %b: !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>, %c: tensor<64x64xf32, #warp.accumulator<warps = 4>>) {
  // expected-error @+1 {{expected a transposed left operand in a buffer}}
  %0 = warp.mma %a, %b, %c lhs_t : tensor<64x64xbf16, #warp.lhs<warps = 4>>, !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>, tensor<64x64xf32, #warp.accumulator<warps = 4>>
  return
}

// -----

func.func @mma_element(%a: tensor<64x64xf16, #warp.lhs<warps = 4>>, %b: !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>, %c: tensor<64x64xf32, #warp.accumulator<warps = 4>>) {
  // expected-error @+1 {{expected operands of one element type, found 'f16' and 'bf16'}}
  %0 = warp.mma %a, %b, %c : tensor<64x64xf16, #warp.lhs<warps = 4>>, !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>, tensor<64x64xf32, #warp.accumulator<warps = 4>>
  return
}

// -----

func.func @mma_shape(%a: tensor<64x64xbf16, #warp.lhs<warps = 4>>, %b: !warp.buffer<32x64xbf16, stages = 1, pitch = 128, swizzle>, %c: tensor<64x64xf32, #warp.accumulator<warps = 4>>) {
  // expected-error @+1 {{expected a result of 64 x 32, found}}
  %0 = warp.mma %a, %b, %c rhs_t : tensor<64x64xbf16, #warp.lhs<warps = 4>>, !warp.buffer<32x64xbf16, stages = 1, pitch = 128, swizzle>, tensor<64x64xf32, #warp.accumulator<warps = 4>>
  return
}

// -----

func.func @mma_result(%a: tensor<64x64xbf16, #warp.lhs<warps = 4>>, %b: !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>, %c: tensor<64x64xf16, #warp.accumulator<warps = 4>>) {
  // expected-error @+1 {{expected f32 in an accumulator, found}}
  %0 = warp.mma %a, %b, %c : tensor<64x64xbf16, #warp.lhs<warps = 4>>, !warp.buffer<64x64xbf16, stages = 1, pitch = 128, swizzle>, tensor<64x64xf16, #warp.accumulator<warps = 4>>
  return
}

// -----

func.func @mma_stages(%a: tensor<64x64xbf16, #warp.lhs<warps = 4>>, %b: !warp.buffer<64x64xbf16, stages = 2, pitch = 128, swizzle>, %c: tensor<64x64xf32, #warp.accumulator<warps = 4>>) {
  // expected-error @+1 {{expected a right operand of one stage; pick one by warp.stage}}
  %0 = warp.mma %a, %b, %c : tensor<64x64xbf16, #warp.lhs<warps = 4>>, !warp.buffer<64x64xbf16, stages = 2, pitch = 128, swizzle>, tensor<64x64xf32, #warp.accumulator<warps = 4>>
  return
}

// -----

func.func @convert(%a: tensor<64x64xbf16, #warp.lhs<warps = 4>>) {
  // expected-error @+1 {{expected #warp.accumulator to #warp.lhs, found #warp.lhs<warps = 4> to #warp.accumulator<warps = 4>}}
  %0 = warp.convert %a : tensor<64x64xbf16, #warp.lhs<warps = 4>> -> tensor<64x64xbf16, #warp.accumulator<warps = 4>>
  return
}

// -----

func.func @foreign(%a: tensor<64x64xbf16, 7>) {
  // expected-error @+1 {{expected an encoding of the warp dialect, found}}
  %0 = warp.convert %a : tensor<64x64xbf16, 7> -> tensor<64x64xbf16, #warp.lhs<warps = 4>>
  return
}
