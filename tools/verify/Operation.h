// What the verifier has to know of an operation, as a row of a table that it takes as an argument:
// nothing registers itself, and a test passes a table with rows of its own.
//
//   cases()   flags of a command line -> VerifyCases          which runs
//   trial()   a case on a pattern -> Trial                    its numbers: inputs, what they give
//   runner()  device, pattern, target, compiler -> Runner     its kernels, loaded at first use
//
// For each case the verifier makes guarded tensors from the trial, has the runner launch on them,
// looks at the memory around them, and holds each output against what the trial expects of it:
//
//   operation   inputs                      outputs     groups
//   forward     q k v                       out lse     the pattern's entries
//   backward    q k v out lse dout [dlse]   dq dk dv    likewise; kv heads may be of several
//
// A group is what a report has rows for: some heads of each output, computed by launches of their
// own or with others'. An operation that no pattern divides has one.
#pragma once

#include "kernel/Request.h"
#include "layout/LaunchNumbers.h"
#include "tools/verify/Case.h"
#include "tools/verify/Tensors.h"

#include <span>

namespace sparsec {

/// What an output should hold, and how far off it may be:
///   units max|plain - exact| + 2^-24 max|exact| + 2^-24 max terms,   of a group's elements
struct Expected {
  std::string output;           ///< name of the tensor
  std::string_view row = "row"; ///< what its rows are, for messages
  int64_t heads = 1, rows = 0, columns = 1;
  std::vector<double> exact; ///< [batch, heads, rows, columns], of float64
  /// What an unfused implementation in the tensors' type gives. Empty: terms alone say the bound.
  std::vector<float> plain;
  /// Magnitude of what sums up to an element, where that may cancel. Empty: nowhere.
  std::vector<double> terms;
  double units = 0;
  std::vector<std::vector<int64_t>> headsOf; ///< of each group; none: it has no row
};

/// 2 of plain's errors for f16 and bf16, 8 for f32.
double defaultUnits(DType type);

/// One case with its numbers.
class Trial {
public:
  virtual ~Trial() = default;
  virtual std::vector<std::string> groups() const = 0;
  /// With the inputs set, for one run.
  virtual Tensors tensors() const = 0;
  /// Worked out when it is asked for the first time.
  virtual const std::vector<Expected> &expected() = 0;
  /// What is wrong with a group of an output beyond its numbers, after expected(); empty: nothing.
  virtual std::string check(std::string_view output, size_t group, const Tensors &found) const {
    return "";
  }
};

/// Where and how the kernels of an operation are run.
struct VerifySetting {
  Device &device;
  const Pattern &pattern;
  Target target;
  CompileFunction compile;
  BlockSource blocks = BlockSource::Auto;
};

/// The kernels of an operation on a device, compiled and loaded at first use.
class Runner {
public:
  virtual ~Runner() = default;
  /// Launches on tensors that are uploaded and waits: what the device found wrong with each group,
  /// empty: nothing. An Error is ours or the machine's.
  virtual Result<std::vector<std::string>> launch(const VerifyCase &c, const Tensors &tensors) = 0;
};

/// Whether an operation's cases are about a pattern.
enum class PatternUse : uint8_t {
  Needed,
  Optional, ///< without one cases() and the rest get a pattern without heads
  None,     ///< always
};

struct VerifyOperation {
  std::string_view name; ///< that of its cases
  std::vector<VerifyCase> (*cases)(const Pattern &pattern, const CaseFlags &flags);
  std::unique_ptr<Trial> (*trial)(const Pattern &pattern, const VerifyCase &c);
  std::unique_ptr<Runner> (*runner)(const VerifySetting &setting);
  PatternUse pattern = PatternUse::Needed;
  /// Whether the operation is one of such a pattern; null: of any. It is left out of what is
  /// verified by default where it is not.
  bool (*takes)(const Pattern &pattern) = nullptr;
  std::string_view note = {}; ///< what a reader of its bounds should know
};

/// sparsec's own.
std::span<const VerifyOperation> verifyOperations();
/// By name; null when there is none.
const VerifyOperation *findVerifyOperation(std::span<const VerifyOperation> table,
                                           std::string_view name);

} // namespace sparsec
