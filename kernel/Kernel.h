// A compiled kernel, as hosts see it: code, the name of its entry, what it takes (Signature), how
// its work items lie in a launch (Grid), and what it needs beside. No MLIR, no LLVM.
//
//   Request -> compile() (codegen/Compiler.h) -> Kernels -> Device::load -> Executable
//
// Text form, all but the code:
//
//   kernel strided_row_forward
//   operation forward
//   target sm_80 path sm80 shared 166912 ptx ptx80
//   grid rows of queries, tile 64, heads 1, longest last, order row_order
//   block 64x64
//   threads 128
//   shared_bytes 40960
//   scratch_bytes 0
//   amx no
//   takes pointer q at 0
//   takes i64 q_stride[3] at 72
//   ...
//
// What is stored is that text, then the code: a Kernel that was read back is equal to the one that
// was written.
#pragma once

#include "kernel/Grid.h"
#include "kernel/Signature.h"
#include "kernel/Target.h"
#include "patterns/Pattern.h"

namespace sparsec {

struct Kernel {
  std::string entry;
  std::string operation; ///< "forward"
  Target target;
  Grid grid;
  Block block;              ///< of the layout it reads; 0: it reads none
  int threads = 0;          ///< of a thread block
  int sharedBytes = 0;      ///< dynamic shared memory
  int64_t scratchBytes = 0; ///< CPU: memory that a call needs for itself, aligned to 64 bytes
  bool usesAmx = false;     ///< CPU: tile registers, for which a process needs the system's leave
  Signature signature;
  std::string code;   ///< GPU: PTX text; CPU: bytes of a shared object
  std::string object; ///< CPU: bytes of the object file that it was linked from

  bool operator==(const Kernel &) const = default;
};

/// The text form.
std::string print(const Kernel &kernel);
/// A kernel without its code. Error: the first line that is not what it should be.
Result<Kernel> parseKernel(const std::string &text);

/// Text form and code as bytes to keep, and back. Error: bytes that are cut or are no kernel.
std::string toBytes(const Kernel &kernel);
Result<Kernel> kernelFromBytes(std::string_view bytes);

} // namespace sparsec
