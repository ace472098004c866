// Runs an operation's kernels on a device and compares them with its reference.
//
//   Pattern + VerifyCase -> the operation's row (Operation.h) -> launch on guarded tensors ->
//   VerifyRow per group and output
//
// Beyond numbers: nothing outside of the outputs is written, all of them are, inputs are left
// alone, workspaces are written before they are read, a second run gives the same bits, and
// whatever else an operation checks.
#pragma once

#include "tools/verify/Operation.h"
#include "tools/verify/WornDevice.h"

namespace sparsec {

/// One output of one group in one case.
struct VerifyRow {
  std::string operation;
  std::string output; ///< "out", "lse"
  std::string head;   ///< name of the group: of the pattern's entry
  VerifyCase testCase;
  double error = 0; ///< max |kernel - f64|; infinite when it did not run or a NaN came out
  double bound = 0;
  bool passed = false;
  std::string detail; ///< what is wrong, when it is not the number alone
};

/// Kernels of one pattern on one device.
class Verifier {
public:
  /// Kernels as the pattern's schedule says, or as the cost model chooses. What the setting refers
  /// to and the table must outlive the verifier.
  explicit Verifier(const VerifySetting &asked,
                    std::span<const VerifyOperation> table = verifyOperations())
      : device(std::make_unique<WornDevice>(asked.device)), setting{*device, asked.pattern,
                                                                    asked.target, asked.compile,
                                                                    asked.blocks},
        table(table) {}

  /// All rows of one case. An Error is ours or the machine's: what a kernel does wrong is a row.
  Result<std::vector<VerifyRow>> run(const VerifyCase &c);

private:
  /// Runs every group; what the device found wrong with each, empty: nothing.
  Result<std::vector<std::string>> launch(Runner &runner, const VerifyCase &c, Tensors &tensors);
  Result<std::string> checkMemory(Runner &runner, const VerifyCase &c, const Tensors &tensors,
                                  const Trial &trial);

  std::unique_ptr<WornDevice> device; ///< in front of the setting's
  VerifySetting setting;
  std::span<const VerifyOperation> table;
  std::map<std::string_view, std::unique_ptr<Runner>> runners;
};

} // namespace sparsec
