// The row sum as a row of the verifier's table.
//
//   y    2^-24 max|f64| + 2^-24 of the largest columns * scale * sum_c |x[c]|: whatever the order
//        of a sum in f32, none of its steps is off by more than 2^-24 of the sum of magnitudes
#pragma once

#include "tests/ops/row_sum/Request.h"
#include "tools/verify/Operation.h"

namespace sparsec {

struct RowSumCase {
  static constexpr std::string_view kOperation = RowSumRequest::kOperation;
  DType dtype = DType::F32;
  int columns = 64;
  int64_t rows = 0, batch = 1, heads = 1;
  float scale = 1;
  TensorOrder order = TensorOrder::BatchHeadRow;
  int64_t gap = 0, rowGap = 0;
  Surround surround = Surround::None;
  int runs = 1;
  uint64_t seed = 1;
};

/// "f32, 64 columns, 100 rows, 2 x 3 heads, BSHD"
std::string describe(const RowSumCase &c);
std::vector<NamedSize> sizesOf(const RowSumCase &c);

/// Columns are the head dim of the flags, rows their n.
std::vector<VerifyCase> rowSumCases(const Pattern &pattern, const CaseFlags &flags);
std::unique_ptr<Trial> rowSumTrial(const Pattern &pattern, const VerifyCase &c);
std::unique_ptr<Runner> rowSumRunner(const VerifySetting &setting);

inline constexpr VerifyOperation kRowSumVerification = {RowSumCase::kOperation, rowSumCases,
                                                        rowSumTrial, rowSumRunner};

} // namespace sparsec
