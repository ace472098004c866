// Attention of new queries over cached keys for the verifier.
//
//   out, lse    within forward's bounds of what forward gives at each sequence's last positions
//
// The sequences of a case differ in length: `n`, the greatest, and shorter ones; rows of the cache
// after a sequence are NaN.
#pragma once

#include "tools/verify/Operation.h"
#include "tools/verify/ops/forward/Case.h"

namespace sparsec {

/// `n` is the rows of the cache, `nq` the new queries, 1 to 16; `q0` is not used.
struct DecodeCase : ForwardCase {
  static constexpr std::string_view kOperation = "decode";
  std::vector<int64_t> lengths; ///< of each sequence, nq .. n
};

std::string describe(const DecodeCase &c);
/// Refusals: kernel/ops/AttentionDecode.h.
bool isDecodable(const Pattern &pattern);
std::vector<VerifyCase> decodeCases(const Pattern &pattern, const CaseFlags &flags);
std::unique_ptr<Trial> decodeTrial(const Pattern &pattern, const VerifyCase &c);
std::unique_ptr<Runner> decodeRunner(const VerifySetting &setting);

inline constexpr VerifyOperation kDecodeVerification = {
    DecodeCase::kOperation, decodeCases,        decodeTrial,
    decodeRunner,           PatternUse::Needed, isDecodable};

} // namespace sparsec
