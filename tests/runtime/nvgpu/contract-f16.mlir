// C += A B^T: m 16, n 8, k 16, all f16. A and B lie in shared memory as their rows are multiplied.
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (n, k)>
#c = affine_map<(m, n, k) -> (m, n)>
#shared = #gpu.address_space<workgroup>
gpu.module @kernels {
  gpu.func @product(%a: memref<16x16xf16>, %b: memref<8x16xf16>, %c: memref<16x8xf16>)
      workgroup(%as: memref<16x16xf16, #shared> {llvm.align = 16 : i64},
                %bs: memref<8x16xf16, #shared> {llvm.align = 16 : i64}) kernel {
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f16
    %lane = gpu.thread_id x
    affine.for %j = 0 to 8 {
      %x = affine.load %a[symbol(%lane) mod 16, symbol(%lane) floordiv 16 * 8 + %j] : memref<16x16xf16>
      affine.store %x, %as[symbol(%lane) mod 16, symbol(%lane) floordiv 16 * 8 + %j] : memref<16x16xf16, #shared>
    }
    affine.for %j = 0 to 4 {
      %x = affine.load %b[symbol(%lane) mod 8, symbol(%lane) floordiv 8 * 4 + %j] : memref<8x16xf16>
      affine.store %x, %bs[symbol(%lane) mod 8, symbol(%lane) floordiv 8 * 4 + %j] : memref<8x16xf16, #shared>
    }
    gpu.barrier
    %va = vector.transfer_read %as[%c0, %c0], %zero {in_bounds = [true, true]}
        : memref<16x16xf16, #shared>, vector<16x16xf16>
    %vb = vector.transfer_read %bs[%c0, %c0], %zero {in_bounds = [true, true]}
        : memref<8x16xf16, #shared>, vector<8x16xf16>
    %vc = vector.transfer_read %c[%c0, %c0], %zero {in_bounds = [true, true]}
        : memref<16x8xf16>, vector<16x8xf16>
    %d = vector.contract {indexing_maps = [#a, #b, #c],
                          iterator_types = ["parallel", "parallel", "reduction"],
                          kind = #vector.kind<add>} %va, %vb, %vc
        : vector<16x16xf16>, vector<8x16xf16> into vector<16x8xf16>
    vector.transfer_write %d, %c[%c0, %c0] {in_bounds = [true, true]}
        : vector<16x8xf16>, memref<16x8xf16>
    gpu.return
  }
}
