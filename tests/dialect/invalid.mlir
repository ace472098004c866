// RUN: sparsec-opt %s -split-input-file -verify-diagnostics -allow-unregistered-dialect

// Every rule of every verifier, with its message.

//===-- Types and attributes ------------------------------------------------------------------===//

// expected-error @below {{a view has integers or floats, not 'index'}}
tile.kernel @a(%x: !tile.view<index, 1>) args ["x"] { tile.return }

// -----

// expected-error @below {{a view has 0 to 4 strides, not 5}}
tile.kernel @a(%x: !tile.view<f32, 5>) args ["x"] { tile.return }

// -----

tile.kernel @a(%n: i32) args ["n"] {
  // expected-error @below {{rows of a tile are at least 1, not 0}}
  %r = tile.rows #tile.order<natural>[%n] of %n : !tile.rows<0>
  tile.return
}

// -----

tile.kernel @a(%n: i32) args ["n"] {
  // expected-error @below {{heads (3) do not divide the rows (16)}}
  %r = tile.rows #tile.order<natural>[%n] of %n : !tile.rows<16, 3>
  tile.return
}

// -----

// expected-error @below {{pattern: expected the canonical text "k <= q", found "causal"}}
sparsec.attention @a #sparsec.pattern<"causal"> dtype f16 head_dim 64 value_dim 64 block 64 x 64

// -----

// expected-error-re @below {{pattern: unknown name 'x'{{.*}} (column 6)}}
sparsec.attention @a #sparsec.pattern<"k <= x"> dtype f16 head_dim 64 value_dim 64 block 64 x 64

// -----

//===-- sparsec.attention ---------------------------------------------------------------------===//

// expected-error @below {{'sparsec.attention' op expected dtype f16, bf16 or f32, found 'f64'}}
sparsec.attention @a #sparsec.pattern<"True"> dtype f64 head_dim 64 value_dim 64 block 64 x 64

// -----

// expected-error @below {{'sparsec.attention' op expected head_dim to be a multiple of 16 from 16 to 256, found 24}}
sparsec.attention @a #sparsec.pattern<"True"> dtype f16 head_dim 24 value_dim 64 block 64 x 64

// -----

// expected-error @below {{'sparsec.attention' op expected value_dim to be a multiple of 16 from 16 to 256, found 272}}
sparsec.attention @a #sparsec.pattern<"True"> dtype f16 head_dim 64 value_dim 272 block 64 x 64

// -----

// expected-error @below {{'sparsec.attention' op expected block_q to be a multiple of 16 from 16 to 128, found 8}}
sparsec.attention @a #sparsec.pattern<"True"> dtype f16 head_dim 64 value_dim 64 block 8 x 64

// -----

// expected-error @below {{'sparsec.attention' op expected block_k to be a multiple of 16 from 16 to 128, found 144}}
sparsec.attention @a #sparsec.pattern<"True"> dtype f16 head_dim 64 value_dim 64 block 64 x 144

// -----

// expected-error @below {{'sparsec.attention_backward' op expected head_dim to be a multiple of 16 from 16 to 256, found 8}}
sparsec.attention_backward @a #sparsec.pattern<"True"> dtype f16 head_dim 8 value_dim 64 block 64 x 64

// -----

// expected-error @below {{'sparsec.attention_backward' op expected dtype f16, bf16 or f32, found 'i32'}}
sparsec.attention_backward @a over_keys #sparsec.pattern<"True"> dtype i32 head_dim 16 value_dim 64 block 64 x 64

// -----

// expected-error @below {{'sparsec.attention_backward' op dk and dv are told where their sums meet when they are launched}}
sparsec.attention_backward @a over_keys #sparsec.pattern<"True"> dtype f16 head_dim 16 value_dim 64 block 64 x 64 partial

// -----

//===-- tile.kernel, tile.work ----------------------------------------------------------------===//

// expected-error @below {{'tile.kernel' op has 2 arguments, 1 names and 1 optional marks}}
tile.kernel @a(%n: i32, %m: i32) args ["n"] { tile.return }

// -----

// expected-error @below {{'tile.kernel' op has two arguments named "n"}}
tile.kernel @a(%n: i32, %m: i32) args ["n", "n"] { tile.return }

// -----

// expected-error @below {{'tile.kernel' op argument "x" must be a view, a layout, an integer or a float, found 'tensor<4xf32>'}}
tile.kernel @a(%x: tensor<4xf32>) args ["x"] { tile.return }

// -----

// expected-error @below {{'tile.kernel' op argument "n" is optional and not a view}}
tile.kernel @a(%n: i32) args ["n"(optional)] { tile.return }

// -----

// expected-error @below {{'tile.kernel' op must end with tile.return}}
tile.kernel @a(%n: i32) args ["n"] {
  "unknown.end"() : () -> ()
}

// -----

// expected-error @below {{expected 'optional'}}
tile.kernel @a(%x: !tile.view<f32, 1>) args ["x"(maybe)] { tile.return }

// -----

// expected-error @below {{'tile.return' op expects parent op 'tile.kernel'}}
tile.return

// -----

tile.kernel @a(%n: i32) args ["n"] {
  // expected-error @below {{'tile.work' op 'rows' expects a layout, found 'i32'}}
  %b, %h, %i, %r = tile.work rows of %n : i32
  tile.return
}

// -----

tile.kernel @a(%layout: !tile.layout) args ["layout"] {
  // expected-error @below {{'tile.work' op 'range' expects a count (i32), found '!tile.layout'}}
  %i = tile.work range of %layout : !tile.layout
  tile.return
}

// -----

//===-- Rows and positions --------------------------------------------------------------------===//

tile.kernel @a(%n: i32) args ["n"] {
  %p = arith.constant dense<0> : tensor<8xi32>
  // expected-error @below {{'tile.rows_at' op expected positions of shape 16, found 8}}
  %r = tile.rows_at %p count %n : tensor<8xi32> -> !tile.rows<16 by gathered>
  tile.return
}

// -----

tile.kernel @a(%n: i32) args ["n"] {
  %p = arith.constant dense<0> : tensor<8xi32>
  // expected-error @below {{'tile.rows_at' op expected rows by 'gathered', found '!tile.rows<8>'}}
  %r = tile.rows_at %p count %n : tensor<8xi32> -> !tile.rows<8>
  tile.return
}

// -----

tile.kernel @a(%n: i32) args ["n"] {
  // expected-error @below {{'tile.rows' op rows at gathered positions are made by 'tile.rows_at'}}
  %r = tile.rows #tile.order<gathered>[%n] of %n : !tile.rows<8 by gathered>
  tile.return
}

// -----

tile.kernel @a(%x: !tile.view<f32, 1>, %n: i32) args ["x", "n"] {
  // expected-error @below {{'tile.scalar' op expected '!tile.view<f32, 0>', found '!tile.view<f32, 1>'}}
  %s = tile.scalar %x[%n] : !tile.view<f32, 1> -> f32
  tile.return
}

// -----

tile.kernel @a(%x: !tile.view<f32, 0>, %n: i32) args ["x", "n"] {
  // expected-error @below {{'tile.store_scalar' op expected '!tile.view<i32, 0>', found '!tile.view<f32, 0>'}}
  tile.store_scalar %n, %x[%n] : i32, !tile.view<f32, 0>
  tile.return
}

// -----

tile.kernel @a(%n: i32) args ["n"] {
  %r = tile.rows #tile.order<natural>[%n] of %n : !tile.rows<16>
  // expected-error @below {{'tile.positions' op expected positions of shape 16, found 8}}
  %p = tile.positions %r : !tile.rows<16> -> tensor<8xi32>
  tile.return
}

// -----

tile.kernel @a(%n: i32) args ["n"] {
  %r = tile.rows #tile.order<natural>[%n] of %n : !tile.rows<16>
  // expected-error @below {{'tile.positions' op result #0 must be tensor of i32 of rank 1, but got 'tensor<16xi64>'}}
  %p = tile.positions %r : !tile.rows<16> -> tensor<16xi64>
  tile.return
}

// -----

//===-- tile.load, tile.store, tile.accumulate ------------------------------------------------===//

tile.kernel @a(%x: !tile.view<f32, 3>, %n: i32) args ["x", "n"] {
  %r = tile.rows #tile.order<natural>[%n] of %n : !tile.rows<16>
  // expected-error @below {{'tile.load' op expected 2 indices before the rows for a tile of rank 2 of '!tile.view<f32, 3>', found 1}}
  %t = tile.load %x[%n, %r] : !tile.view<f32, 3>, !tile.rows<16> -> tensor<16x64xf32>
  tile.return
}

// -----

// One index fewer than strides: rows a stride apart. Not two.
tile.kernel @a(%x: !tile.view<f32, 3>, %n: i32) args ["x", "n"] {
  %r = tile.rows #tile.order<natural>[%n] of %n : !tile.rows<16>
  // expected-error @below {{'tile.load' op expected 3 indices before the rows for a tile of rank 1 of '!tile.view<f32, 3>', found 1}}
  %t = tile.load %x[%n, %r] : !tile.view<f32, 3>, !tile.rows<16> -> tensor<16xf32>
  tile.return
}

// -----

tile.kernel @a(%x: !tile.view<f32, 1>, %n: i32) args ["x", "n"] {
  %r = tile.rows #tile.order<natural>[%n] of %n : !tile.rows<16>
  // expected-error @below {{'tile.load' op expected a tile of 16 rows, found 32}}
  %t = tile.load %x[%r] : !tile.view<f32, 1>, !tile.rows<16> -> tensor<32x64xf32>
  tile.return
}

// -----

tile.kernel @a(%x: !tile.view<f32, 1>, %n: i32) args ["x", "n"] {
  %r = tile.rows #tile.order<natural>[%n] of %n : !tile.rows<16, 4>
  // expected-error @below {{'tile.load' op rows of 4 heads need an index of the head}}
  %t = tile.load %x[%r] : !tile.view<f32, 1>, !tile.rows<16, 4> -> tensor<16x64xf32>
  tile.return
}

// -----

tile.kernel @a(%x: !tile.view<f32, 1>, %n: i32) args ["x", "n"] {
  %r = tile.rows #tile.order<natural>[%n] of %n : !tile.rows<16>
  %c = tile.rows #tile.order<natural>[%n] of %n : !tile.rows<32>
  // expected-error @below {{'tile.load' op expected a tile of 32 columns, found 64}}
  %t = tile.load %x[%r, cols %c] : !tile.view<f32, 1>, !tile.rows<16>, !tile.rows<32> -> tensor<16x64xf32>
  tile.return
}

// -----

tile.kernel @a(%x: !tile.view<f32, 1>, %n: i32) args ["x", "n"] {
  %r = tile.rows #tile.order<natural>[%n] of %n : !tile.rows<16>
  %c = tile.rows #tile.order<natural>[%n] of %n : !tile.rows<32, 2>
  // expected-error @below {{'tile.load' op columns cannot run over heads}}
  %t = tile.load %x[%r, cols %c] : !tile.view<f32, 1>, !tile.rows<16>, !tile.rows<32, 2> -> tensor<16x32xf32>
  tile.return
}

// -----

tile.kernel @a(%x: !tile.view<f32, 0>, %n: i32) args ["x", "n"] {
  %r = tile.rows #tile.order<natural>[%n] of %n : !tile.rows<16>
  // expected-error @below {{'tile.load' op columns need a tile of rank 2}}
  %t = tile.load %x[%r, cols %r] : !tile.view<f32, 0>, !tile.rows<16>, !tile.rows<16> -> tensor<16xf32>
  tile.return
}

// -----

tile.kernel @a(%x: !tile.view<f32, 1>, %n: i32) args ["x", "n"] {
  %r = tile.rows #tile.order<natural>[%n] of %n : !tile.rows<16>
  // expected-error @below {{'tile.load' op expected a tile of 'f32', found 'bf16'}}
  %t = tile.load %x[%r] : !tile.view<f32, 1>, !tile.rows<16> -> tensor<16x64xbf16>
  tile.return
}

// -----

tile.kernel @a(%x: !tile.view<f32, 1>, %n: i32) args ["x", "n"] {
  // expected-error @below {{expected rows before 'cols'}}
  %t = tile.load %x[cols %n] : !tile.view<f32, 1>, !tile.rows<16> -> tensor<16x64xf32>
  tile.return
}

// -----

tile.kernel @a(%x: !tile.view<f32, 1>, %n: i32) args ["x", "n"] {
  %r = tile.rows #tile.order<natural>[%n] of %n : !tile.rows<16>
  // expected-error @below {{'tile.load' op result #0 must be tile (tensor of static shape and rank 1 or 2), but got 'tensor<16x4x4xf32>'}}
  %t = tile.load %x[%r] : !tile.view<f32, 1>, !tile.rows<16> -> tensor<16x4x4xf32>
  tile.return
}

// -----

tile.kernel @a(%x: !tile.view<bf16, 1>, %n: i32) args ["x", "n"] {
  %r = tile.rows #tile.order<natural>[%n] of %n : !tile.rows<16>
  %t = arith.constant dense<0.0> : tensor<32x64xbf16>
  // expected-error @below {{'tile.store' op expected a tile of 16 rows, found 32}}
  tile.store %t, %x[%r] : tensor<32x64xbf16>, !tile.view<bf16, 1>, !tile.rows<16>
  tile.return
}

// -----

tile.kernel @a(%x: !tile.view<bf16, 1>, %n: i32) args ["x", "n"] {
  %r = tile.rows #tile.order<natural>[%n] of %n : !tile.rows<16>
  %t = arith.constant dense<0.0> : tensor<16x64xbf16>
  // expected-error @below {{'tile.accumulate' op expected a tile of f32, found 'bf16'}}
  tile.accumulate %t, %x[%r] exclusive : tensor<16x64xbf16>, !tile.view<bf16, 1>, !tile.rows<16>
  tile.return
}

// -----

tile.kernel @a(%x: !tile.view<f32, 2>, %n: i32) args ["x", "n"] {
  %r = tile.rows #tile.order<natural>[%n] of %n : !tile.rows<16>
  %t = arith.constant dense<0.0> : tensor<16xf32>
  // expected-error @below {{'tile.accumulate' op expected 2 indices before the rows for a tile of rank 1 of '!tile.view<f32, 2>', found 0}}
  tile.accumulate %t, %x[%r] exclusive : tensor<16xf32>, !tile.view<f32, 2>, !tile.rows<16>
  tile.return
}

// -----

//===-- Tiles ---------------------------------------------------------------------------------===//

tile.kernel @a(%n: i32) args ["n"] {
  // expected-error @below {{'tile.splat' op expected a result of 'i32', found 'i64'}}
  %t = tile.splat %n : i32 -> tensor<16xi64>
  tile.return
}

// -----

tile.kernel @a() args [] {
  %v = arith.constant dense<0.0> : tensor<16xf32>
  // expected-error @below {{'tile.expand' op expected an input of shape 32, found 16}}
  %t = tile.expand %v {dim = 0} : tensor<16xf32> -> tensor<16x32xf32>
  tile.return
}

// -----

tile.kernel @a() args [] {
  %v = arith.constant dense<0.0> : tensor<16xf32>
  // expected-error @below {{'tile.expand' op expected dim below 2, found 2}}
  %t = tile.expand %v {dim = 2} : tensor<16xf32> -> tensor<16x32xf32>
  tile.return
}

// -----

tile.kernel @a() args [] {
  %v = arith.constant dense<0.0> : tensor<16xf32>
  // expected-error @below {{'tile.expand' op expected a result of 'f32', found 'f16'}}
  %t = tile.expand %v {dim = 1} : tensor<16xf32> -> tensor<16x32xf16>
  tile.return
}

// -----

tile.kernel @a() args [] {
  %m = arith.constant dense<0.0> : tensor<16x32xf32>
  // expected-error @below {{'tile.transpose' op expected a result of shape 32x16, found 16x32}}
  %t = tile.transpose %m : tensor<16x32xf32> -> tensor<16x32xf32>
  tile.return
}

// -----

tile.kernel @a() args [] {
  %m = arith.constant dense<0.0> : tensor<16x32xf32>
  // expected-error @below {{'tile.transpose' op expected a result of 'f32', found 'f16'}}
  %t = tile.transpose %m : tensor<16x32xf32> -> tensor<32x16xf16>
  tile.return
}

// -----

tile.kernel @a() args [] {
  %m = arith.constant dense<0.0> : tensor<16x32xf32>
  // expected-error @below {{'tile.reduce' op expected dim below 2, found 2}}
  %t = tile.reduce max %m {dim = 2} : tensor<16x32xf32> -> tensor<16xf32>
  tile.return
}

// -----

tile.kernel @a() args [] {
  %m = arith.constant dense<0.0> : tensor<16x32xf32>
  // expected-error @below {{'tile.reduce' op expected a result of shape 16, found 32}}
  %t = tile.reduce max %m {dim = 1} : tensor<16x32xf32> -> tensor<32xf32>
  tile.return
}

// -----

tile.kernel @a() args [] {
  %m = arith.constant dense<0.0> : tensor<16x32xf32>
  // expected-error @below {{'tile.reduce' op expected a vector from a matrix, found 'f32'}}
  %t = tile.reduce max %m {dim = 1} : tensor<16x32xf32> -> f32
  tile.return
}

// -----

tile.kernel @a() args [] {
  %m = arith.constant dense<0.0> : tensor<16xf32>
  // expected-error @below {{'tile.reduce' op expected a scalar from a vector, found 'tensor<16xf32>'}}
  %t = tile.reduce max %m {dim = 0} : tensor<16xf32> -> tensor<16xf32>
  tile.return
}

// -----

tile.kernel @a() args [] {
  %m = arith.constant dense<0.0> : tensor<16x32xf32>
  // expected-error @below {{'tile.reduce' op expected a result of 'f32', found 'f16'}}
  %t = tile.reduce sum %m {dim = 1} : tensor<16x32xf32> -> tensor<16xf16>
  tile.return
}

// -----

tile.kernel @a() args [] {
  %m = arith.constant dense<0.0> : tensor<16x32xf32>
  // expected-error @below {{'tile.scan' op expected a result of shape 16x32, found 32x16}}
  %t = tile.scan sum %m {dim = 1} : tensor<16x32xf32> -> tensor<32x16xf32>
  tile.return
}

// -----

tile.kernel @a() args [] {
  %m = arith.constant dense<0.0> : tensor<16xf32>
  // expected-error @below {{'tile.scan' op expected dim below 1, found 1}}
  %t = tile.scan sum %m {dim = 1} : tensor<16xf32> -> tensor<16xf32>
  tile.return
}

// -----

tile.kernel @a() args [] {
  %m = arith.constant dense<0.0> : tensor<16xf32>
  // expected-error @below {{'tile.scan' op expected a result of 'f32', found 'f16'}}
  %t = tile.scan sum %m {dim = 0} : tensor<16xf32> -> tensor<16xf16>
  tile.return
}

// -----

tile.kernel @a() args [] {
  %a = arith.constant dense<0.0> : tensor<16x32xbf16>
  %b = arith.constant dense<0.0> : tensor<16x48xbf16>
  // expected-error @below {{'tile.dot' op sums over 32 elements of lhs and 16 of rhs}}
  %t = tile.dot %a, %b : tensor<16x32xbf16>, tensor<16x48xbf16> -> tensor<16x48xf32>
  tile.return
}

// -----

tile.kernel @a() args [] {
  %a = arith.constant dense<0.0> : tensor<16x32xbf16>
  %b = arith.constant dense<0.0> : tensor<16x48xbf16>
  // expected-error @below {{'tile.dot' op expected a result of shape 32x48, found 16x48}}
  %t = tile.dot %a, %b {lhs_t} : tensor<16x32xbf16>, tensor<16x48xbf16> -> tensor<16x48xf32>
  tile.return
}

// -----

tile.kernel @a() args [] {
  %a = arith.constant dense<0.0> : tensor<16x16xbf16>
  %b = arith.constant dense<0.0> : tensor<16x16xf16>
  // expected-error @below {{'tile.dot' op expected rhs of 'bf16', found 'f16'}}
  %t = tile.dot %a, %b : tensor<16x16xbf16>, tensor<16x16xf16> -> tensor<16x16xf32>
  tile.return
}

// -----

tile.kernel @a() args [] {
  %a = arith.constant dense<0.0> : tensor<16x16xf64>
  // expected-error @below {{'tile.dot' op expected operands of f16, bf16 or f32, found 'f64'}}
  %t = tile.dot %a, %a : tensor<16x16xf64>, tensor<16x16xf64> -> tensor<16x16xf32>
  tile.return
}

// -----

tile.kernel @a() args [] {
  %a = arith.constant dense<0.0> : tensor<16x16xbf16>
  // expected-error @below {{'tile.dot' op result #0 must be tensor of f32 of rank 2, but got 'tensor<16x16xbf16>'}}
  %t = tile.dot %a, %a : tensor<16x16xbf16>, tensor<16x16xbf16> -> tensor<16x16xbf16>
  tile.return
}

// -----

tile.kernel @a() args [] {
  %a = arith.constant dense<0.0> : tensor<16x16xbf16>
  %c = arith.constant dense<0.0> : tensor<16x32xf32>
  // expected-error @below {{'tile.dot' op expected acc of the result's type 'tensor<16x16xf32>', found 'tensor<16x32xf32>'}}
  %t = tile.dot %a, %a acc(%c : tensor<16x32xf32>) : tensor<16x16xbf16>, tensor<16x16xbf16> -> tensor<16x16xf32>
  tile.return
}

// -----

//===-- Patterns, random numbers --------------------------------------------------------------===//

tile.kernel @a(%n: i32) args ["n"] {
  %q = arith.constant dense<0> : tensor<16xi32>
  %k = arith.constant dense<0> : tensor<32xi32>
  // expected-error @below {{'tile.predicate' op expected a result of shape 32x16, found 16x32}}
  %t = tile.predicate #sparsec.pattern<"k <= q">(%n, %q, %k, %n, %n) {keys_first} : tensor<16xi32>, tensor<32xi32> -> tensor<16x32xi1>
  tile.return
}

// -----

tile.kernel @a() args [] {
  %s = arith.constant dense<0.0> : tensor<16x32xf32>
  %m = arith.constant dense<true> : tensor<32x16xi1>
  // expected-error @below {{'tile.mask' op expected a mask of shape 16x32, found 32x16}}
  %t = tile.mask %s, %m : tensor<16x32xf32>, tensor<32x16xi1>
  tile.return
}

// -----

tile.kernel @a() args [] {
  %s = arith.constant dense<0.0> : tensor<16x32xbf16>
  %m = arith.constant dense<true> : tensor<16x32xi1>
  // expected-error @below {{'tile.mask' op operand #0 must be tensor of f32 of rank 1 or 2, but got 'tensor<16x32xbf16>'}}
  %t = tile.mask %s, %m : tensor<16x32xbf16>, tensor<16x32xi1>
  tile.return
}

// -----

tile.kernel @a(%seed: i64) args ["seed"] {
  %q = arith.constant dense<0> : tensor<16xi32>
  // expected-error @below {{'tile.random' op expected a result of shape 16x16, found 16x32}}
  %t = tile.random %seed(%q, %q) : tensor<16xi32>, tensor<16xi32> -> tensor<16x32xi32>
  tile.return
}

// -----

tile.kernel @a(%layout: !tile.layout, %r: i32) args ["layout", "r"] {
  // expected-error @below {{'tile.blocks' op expected a slice of two numbers, found 1}}
  %l = tile.blocks all %layout[%r] slice %r : !tile.blocks
  tile.return
}
