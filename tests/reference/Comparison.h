// How far a result is from the exact one, beside how far it may be.
#pragma once

#include <cstddef>

namespace sparsec::reference {

/// Measures a result against the exact one, in units of what `plain` gets wrong:
/// bound = k max|plain - exact| + 2^-24 max|exact| + 2^-24 max terms.
class Comparison {
public:
  /// One element. Where the exact value is infinite, the result has to equal it;
  /// such elements do not count for the bound. `terms`: magnitude of what sums up to the element,
  /// where that may cancel.
  void add(double result, double exact, double plain, size_t index, double terms = 0);

  double error() const { return worstError; } ///< infinite when a NaN or infinity is misplaced
  double bound(double k) const { return k * plainError + (largest + terms) * 0x1p-24; }
  size_t worst() const { return worstIndex; } ///< index of the largest error

private:
  double worstError = 0, plainError = 0, largest = 0, terms = 0;
  size_t worstIndex = 0;
};

} // namespace sparsec::reference
