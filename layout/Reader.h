// A predicate made ready for one head, to be proved over rectangles and evaluated where proofs
// fail; what it is asked is counted.
#pragma once

#include "layout/Work.h"
#include "patterns/Classify.h"

namespace sparsec {

class Reader {
public:
  Reader(const Expr &predicate, int64_t h, const Sizes &sizes, Work *work)
      : classifier(predicate, h, sizes), evaluator(predicate, h, sizes), work(work) {}
  /// The same, counted elsewhere.
  Reader(const Reader &other, Work *work)
      : classifier(other.classifier), evaluator(other.evaluator), work(work) {}

  Coverage classify(const Rectangle &rectangle) const {
    Work::add(work, &Work::questions, 1, 50 + 8 * classifier.size());
    return classifier(rectangle);
  }
  bool at(int64_t q, int64_t k) const {
    Work::add(work, &Work::evaluations, 1, 20 + 4 * evaluator.size());
    return evaluator.at(q, k);
  }
  /// Bit i is the truth at key `first + i * step`, for i < count <= 64.
  uint64_t row(int64_t q, int64_t first, int64_t step, int count) const {
    Work::add(work, &Work::evaluations, 1, 80 + 30 * evaluator.size());
    return evaluator.row(q, first, step, count);
  }
  int64_t size() const { return classifier.size(); } ///< operators and leaves
  /// How many of the keys the query attends to.
  int64_t countRow(int64_t q, const Range &keys) const;

private:
  Classifier classifier;
  Evaluator evaluator;
  Work *work;
};

} // namespace sparsec
