// The verifier notices what goes wrong between it and the compiler: right kernels pass its cases,
// and each of many faults fails at least one of the default ones, and one of those that `-n` asks
// for.
#include "tests/verify/PlantedFaults.h"
#include "tools/verify/Verify.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <set>

namespace sparsec {
namespace {

using testing::Fault;
using testing::FaultyDevice;
using testing::PlantedFault;

constexpr int64_t kLength = 40; ///< what `-n` says

std::vector<PlantedFault> allFaults() {
  std::vector<PlantedFault> all = testing::forwardFaults();
  for (auto more : {testing::backwardFaults, testing::decodeFaults})
    std::ranges::move(more(), std::back_inserter(all));
  return all;
}

std::vector<VerifyCase> casesOf(const PlantedFault &planted, CaseFlags::Set set) {
  auto heads = static_cast<int64_t>(planted.pattern.heads.size());
  CaseFlags flags{.set = set,
                  .n = planted.n,
                  .dtype = DType::F32,
                  .heads = heads,
                  .kvHeads = heads}; // of `sparsec verify` on cpu
  if (set == CaseFlags::Set::One)
    flags.n = planted.n.value_or(kLength);
  return findVerifyOperation(verifyOperations(), planted.operation)->cases(planted.pattern, flags);
}

/// The first thing wrong in the cases, or nothing.
std::string firstFailure(const PlantedFault &planted, CaseFlags::Set set) {
  FaultyDevice device(planted.fault);
  Verifier verifier({device, planted.pattern, *findTarget("cpu"),
                     [&](const Request &request) { return device.compile(request); },
                     planted.blocks});
  for (const VerifyCase &c : casesOf(planted, set)) {
    Result<std::vector<VerifyRow>> rows = verifier.run(c);
    if (!rows)
      return "error: " + rows.error().message;
    for (const VerifyRow &row : *rows)
      if (!row.passed)
        return fmt::format("{}: {}: {}: {}", c.text(), row.head, row.output, row.detail);
  }
  return "";
}

class Planted : public ::testing::TestWithParam<CaseFlags::Set> {};

TEST_P(Planted, NothingPasses) {
  std::set<std::string> seen; // of patterns and ways
  for (PlantedFault planted : allFaults()) {
    if (!planted.fault.compiled.empty())
      continue; // a pattern of that fault alone
    planted.fault = Fault();
    std::string what =
        fmt::format("{} {} {}", planted.operation, print(planted.pattern), int(planted.blocks));
    if (seen.insert(what).second)
      EXPECT_EQ(firstFailure(planted, GetParam()), "") << what;
  }
}

TEST_P(Planted, EveryFaultIsNoticed) {
  for (const PlantedFault &planted : allFaults()) {
    std::string found = firstFailure(planted, GetParam());
    EXPECT_NE(found, "") << planted.operation << ": " << planted.name;
    // Not because the machinery broke.
    EXPECT_FALSE(found.starts_with("error: ")) << planted.name << ": " << found;
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, Planted,
                         ::testing::Values(CaseFlags::Set::Default, CaseFlags::Set::One),
                         [](const auto &info) {
                           return info.param == CaseFlags::Set::One ? "OfALength" : "Default";
                         });

TEST(PlantedFaults, AreManyAndDistinct) {
  std::set<std::string> names;
  for (const PlantedFault &planted : allFaults())
    EXPECT_TRUE(names.insert(std::string(planted.operation) + planted.name).second) << planted.name;
  EXPECT_GE(names.size(), 40u);
}

} // namespace
} // namespace sparsec
