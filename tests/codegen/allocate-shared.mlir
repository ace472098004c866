// Buffers lie one after the other, each on 128 bytes; the kernel knows how much it needs.
// RUN: sparsec-opt %s --allocate-shared | FileCheck %s

// CHECK: warp.shared_bytes = 20992 : i32
tile.kernel @three(%n: i32) args ["n"] {
  // CHECK: warp.alloc at 0 : <16x80xbf16
  %0 = warp.alloc : !warp.buffer<16x80xbf16, stages = 1, pitch = 176>
  // CHECK: warp.alloc at 2816 : <64x64xbf16
  %1 = warp.alloc : !warp.buffer<64x64xbf16, stages = 2, pitch = 128, swizzle>
  // CHECK: warp.alloc at 19200 : <16x48xbf16
  %2 = warp.alloc : !warp.buffer<16x48xbf16, stages = 1, pitch = 112>
  tile.return
}
