// A case of attention forward.
#pragma once

#include "runtime/Attention.h"
#include "tools/verify/Case.h"
#include "tools/verify/HostTensor.h"

namespace sparsec {

enum class Inputs {
  Normal, ///< q, k, v of mean 0 and variance 1
  Peaked, ///< scores from -100 to 100 in rising order: the running maximum of a row moves at every
          ///< block, and exp of a score alone overflows
  Count,  ///< q = 0, v one-hot by key: out * exp(lse) counts how often each key was used
};

enum class LseOutput { Wanted, NotWanted };

struct ForwardCase {
  static constexpr std::string_view kOperation = "forward";
  DType dtype = DType::BF16;
  int headDim = 64, valueDim = 64;
  int64_t n = 0, nq = 0;
  std::optional<int64_t> q0; ///< n - nq when absent
  int64_t batch = 1, heads = 1, kvHeads = 1;
  TensorOrder order = TensorOrder::BatchHeadRow;
  int64_t gap = 0;    ///< elements after each row; a multiple of 16 bytes
  int64_t rowGap = 0; ///< rows after the last one
  Surround surround = Surround::None;
  Inputs inputs = Inputs::Normal;
  LseOutput lse = LseOutput::Wanted;
  int runs = 1; ///< 2: the second has to give the same bits
  Block block;  ///< 0: chosen by the compiler
  uint64_t seed = 1;

  AttentionShape shape() const {
    return {.batch = batch,
            .heads = heads,
            .kvHeads = kvHeads,
            .nq = nq,
            .n = n,
            .q0 = q0.value_or(n - nq)};
  }
};

/// "bf16, head dim 64, n 200, nq 77, 2 x 4 heads (2 kv), BSHD"
std::string describe(const ForwardCase &c);
std::vector<NamedSize> sizesOf(const ForwardCase &c);

/// A few runs that touch every dtype and every kind of size: under 20 s on the simulator.
std::vector<ForwardCase> defaultForwardCases(const Pattern &pattern);
/// Every dtype with head dims 16, 64, 80, 128 and 256, each with ragged n, nq < n, nq > n, grouped
/// heads, both memory orders and a value dim of its own.
std::vector<ForwardCase> fullForwardCases(const Pattern &pattern);
/// The plain one that flags say, of Set::One.
ForwardCase caseOf(const CaseFlags &flags);
/// The same sizes where faults of indices and ends show. Heads and the value dim are those asked
/// for, else two heads of each entry and another value dim than the head dim; a table of positions
/// leaves no other length than its own.
struct SharpCases {
  ForwardCase apart; ///< two batches, fewer queries than keys, rows apart among NaNs, scores rise
  ForwardCase counting; ///< each key's uses; heads share kv heads; rows before the first key
  ForwardCase keyless;  ///< few rows, most of them before the first key; lse is not wanted
};
SharpCases sharpCases(const Pattern &pattern, const CaseFlags &flags);
/// What flags say of all cases.
template <class C>
std::vector<VerifyCase> withFlags(std::vector<C> plain, const CaseFlags &flags) {
  std::vector<VerifyCase> cases;
  for (C &each : plain) {
    each.seed += flags.seed;
    if (flags.n && flags.set != CaseFlags::Set::One) // whose sizes go by n already
      each.n = each.nq = *flags.n;
    each.nq = flags.nq.value_or(each.nq);
    each.q0 = flags.q0 ? flags.q0 : each.q0;
    cases.push_back(each);
  }
  return cases;
}
/// Those that flags ask for.
std::vector<VerifyCase> forwardCases(const Pattern &pattern, const CaseFlags &flags);

} // namespace sparsec
