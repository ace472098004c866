// classify() against evaluate(): every rectangle with steps at small n, every small predicate.
#include "tests/patterns/EnumeratePredicates.h"

#include <gtest/gtest.h>

namespace sparsec {
namespace {

using testing::forEachPredicate;
using testing::forEachPredicateUpTo;
using testing::RandomPredicates;

/// first, first + step, ... inside [low, low + n), as a range and as bits.
struct Progression {
  Range range;
  uint32_t bits;
};

std::vector<Progression> progressions(int64_t low, int n) {
  std::vector<Progression> all;
  for (int first = 0; first < n; ++first)
    for (int step = 1; step < n; ++step) {
      uint32_t bits = 0;
      for (int count = 1; first + step * (count - 1) < n; ++count) {
        bits |= 1u << (first + step * (count - 1));
        if (count > 1 || step == 1)
          all.push_back({{low + first, step, count}, bits});
      }
    }
  return all;
}

struct Tally {
  int64_t predicates = 0, rectangles = 0, mixed = 0, needlesslyMixed = 0;
};

/// Every rectangle of queries [lowQ, lowQ + nq) and keys [0, nk): Empty and Full are proofs, single
/// points are decided.
void checkAllRectangles(const Expr &predicate, int64_t h, int64_t lowQ, Sizes sizes,
                        const std::vector<Progression> &qs, const std::vector<Progression> &ks,
                        Tally &tally) {
  std::vector<uint32_t> rows;
  for (int q = 0; q < sizes.nq; ++q) {
    uint32_t bits = 0;
    for (int k = 0; k < sizes.nk; ++k)
      bits |= uint32_t(evaluate(predicate, {h, lowQ + q, k}, sizes)) << k;
    rows.push_back(bits);
  }
  Classifier classifier(predicate, h, sizes);
  ++tally.predicates;
  for (const Progression &q : qs) {
    uint32_t any = 0, all = ~0u;
    for (int64_t i = 0; i < q.range.count; ++i) {
      uint32_t row = rows[q.range.first - lowQ + i * q.range.step];
      any |= row;
      all &= row;
    }
    for (const Progression &k : ks) {
      bool someTrue = any & k.bits, someFalse = ~all & k.bits;
      Coverage coverage = classifier({q.range, k.range});
      bool right = coverage == Coverage::Full    ? !someFalse
                   : coverage == Coverage::Empty ? !someTrue
                                                 : q.range.count > 1 || k.range.count > 1;
      if (!right) {
        ADD_FAILURE() << print(predicate) << " over q = " << q.range.first << " step "
                      << q.range.step << " count " << q.range.count << ", k = " << k.range.first
                      << " step " << k.range.step << " count " << k.range.count;
        return;
      }
      ++tally.rectangles;
      tally.mixed += coverage == Coverage::Mixed;
      tally.needlesslyMixed += coverage == Coverage::Mixed && !(someTrue && someFalse);
    }
  }
}

class Rectangles {
public:
  Rectangles(int64_t h, int64_t lowQ, Sizes sizes)
      : h(h), lowQ(lowQ), sizes(sizes), qs(progressions(lowQ, static_cast<int>(sizes.nq))),
        ks(progressions(0, static_cast<int>(sizes.nk))) {}
  ~Rectangles() {
    ::testing::Test::RecordProperty("predicates", std::to_string(tally.predicates));
    printf("%ld predicates, %ld rectangles, %ld mixed, %ld of those undecided without need\n",
           tally.predicates, tally.rectangles, tally.mixed, tally.needlesslyMixed);
  }
  void check(const Expr &predicate) {
    if (!::testing::Test::HasFailure())
      checkAllRectangles(predicate, h, lowQ, sizes, qs, ks, tally);
  }
  const Tally &counts() const { return tally; }

private:
  int64_t h, lowQ;
  Sizes sizes;
  std::vector<Progression> qs, ks;
  Tally tally;
};

TEST(ClassifyExhaustive, UpToTwoOperators) {
  Rectangles square(1, 0, {7, 7});
  forEachPredicateUpTo({.operators = 2}, [&](const Expr &p) { square.check(p); });
}

TEST(ClassifyExhaustive, ThreeOperators) {
  Rectangles cross(3, -2, {4, 5}); // nq = 7, nk = 5, as q0 = nk - nq is negative
  forEachPredicate({.operators = 3, .arithmeticSample = 50},
                   [&](const Expr &p) { cross.check(p); });
}

TEST(ClassifyExhaustive, RandomLarger) {
  RandomPredicates random(20261123);
  Rectangles wide(2, 3, {6, 9});
  for (int i = 0; i < 20'000; ++i)
    wide.check(random.predicate(4 + i % 12));
}

} // namespace
} // namespace sparsec
