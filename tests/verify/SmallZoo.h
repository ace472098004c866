// The zoo, with parameters small enough that a few blocks meet every feature of a pattern.
#pragma once

#include "kernel/ops/Attention.h"

#include <gtest/gtest.h>

namespace sparsec::testing {

/// The patterns of the zoo that differ in more than how their layers take turns: what long tests
/// run.
std::vector<std::string> distinctZoo();

/// Parameters that the pattern does not have are left out. Empty when it is refused.
Pattern smallZooPattern(const std::string &name, const std::map<std::string, int64_t> &params);

/// "strided_merged_bf16"
std::string zooTestName(const ::testing::TestParamInfo<std::tuple<std::string, DType>> &info);

} // namespace sparsec::testing
