#include "tests/reference/Comparison.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sparsec::reference {

void Comparison::add(double result, double exact, double plain, size_t index, double elementTerms) {
  double off = result == exact ? 0 : std::abs(result - exact);
  if (std::isnan(off)) // a NaN, or an infinity in place of the other one
    off = std::numeric_limits<double>::infinity();
  if (off > worstError) {
    worstError = off;
    worstIndex = index;
  }
  if (std::isinf(exact))
    return;
  plainError = std::max(plainError, std::abs(plain - exact));
  largest = std::max(largest, std::abs(exact));
  terms = std::max(terms, elementTerms);
}

} // namespace sparsec::reference
