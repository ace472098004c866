// Runs a pattern's kernels on a device and compares them with the reference.
//
//   Pattern + VerifyCase -> schedule and compile each entry -> launch on guarded tensors ->
//   VerifyRow per output
//
// The bound is k max|plain - f64| + 2^-24 max|f64|, k = 2 for f16 and bf16, 8 for f32; that of lse
// has a term more (see tests/reference/Attention.h). Beyond numbers: nothing outside of the outputs
// is written, all of them are, inputs are left alone, a second run gives the same bits, and every
// key counts once.
#pragma once

#include "tools/verify/Case.h"

#include <functional>

namespace sparsec {

struct Tensors;
namespace reference {
struct AttentionProblem;
}

/// One output of one entry in one case.
struct VerifyRow {
  std::string operation = "forward";
  std::string output; ///< "out", "lse"
  std::string head;   ///< name of the pattern's entry
  VerifyCase testCase;
  double error = 0; ///< max |kernel - f64|; infinite when it did not run or a NaN came out
  double bound = 0;
  bool passed = false;
  std::string detail; ///< what is wrong, when it is not the number alone
};

/// Kernels of one pattern on one device, compiled and loaded on first use.
class Verifier {
public:
  /// Kernels as the pattern's schedule says, or as the cost model chooses.
  Verifier(Device &device, const Pattern &pattern, Target target, CompileFunction compile,
           BlockSource blocks = BlockSource::Auto);

  /// All rows of one case. An Error is ours or the machine's: what a kernel does wrong is a row.
  Result<std::vector<VerifyRow>> run(const VerifyCase &c);

private:
  Result<Attention *> kernel(size_t entry, const VerifyCase &c);
  /// Runs every entry; what the device found wrong with each, empty: nothing.
  Result<std::vector<std::string>> launch(const VerifyCase &c, Tensors &tensors);
  Result<std::string> checkMemory(const VerifyCase &c, const Tensors &tensors,
                                  const reference::AttentionProblem &problem);

  Device &device;
  const Pattern &pattern;
  Target target;
  CompileFunction compile;
  BlockSource blocks;
  std::map<std::string, Attention> loaded;
};

} // namespace sparsec
