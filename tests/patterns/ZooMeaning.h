// The zoo's patterns, and what they mean point by point, for the tests of them.
#pragma once

#include "patterns/Evaluate.h"
#include "patterns/Pattern.h"

#include <gtest/gtest.h>

namespace sparsec::testing {

inline Pattern zoo(const std::string &name, std::map<std::string, int64_t> params = {}) {
  std::shared_ptr<const SourceText> text = zooFile(name);
  EXPECT_TRUE(text) << name;
  PatternOverrides overrides;
  overrides.params = std::move(params);
  Result<Pattern> pattern = parsePattern(text, overrides);
  EXPECT_TRUE(pattern) << (pattern ? "" : pattern.error().render());
  return pattern ? *pattern : Pattern{};
}

using Meaning = std::function<bool(int h, int q, int k)>;

/// Entry `entry` at every point of n x n, for several heads of a model.
inline void expectMeaning(const Pattern &pattern, size_t entry, int n, const Meaning &meaning) {
  ASSERT_LT(entry, pattern.heads.size());
  for (int h = 0; h < 9; ++h) {
    Evaluator evaluator(pattern.heads[entry].attend, h, {n, n});
    for (int q = 0; q < n; ++q)
      for (int k = 0; k < n; ++k)
        ASSERT_EQ(evaluator.at(q, k), meaning(h, q, k))
            << pattern.name << " h = " << h << " q = " << q << " k = " << k;
  }
}

} // namespace sparsec::testing
