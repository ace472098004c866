// Where to cut a rectangle so that the searches of a predicate are decided in its parts: at the
// ends of a list, and between the queries (or keys) that draw.
//
//   segment(q, [5, 9]) == segment(k, [5, 9])       cut at 5 and at 9: four squares are empty, three
//                                                  full, and no rectangle is halved twenty times
//   draw(3, q // 64, k // 64, m, s)                one row of blocks after the other: in a row it is
//     in a row:  k // 64 in 7, 30, 31              known what is drawn, and the row is cut there
#pragma once

#include "patterns/Classify.h"

namespace sparsec {

class Cuts {
public:
  explicit Cuts(const Expr &predicate);

  /// Drawn values change with the query, with the key: cut along that axis before the other.
  bool drawsByQuery() const { return byQuery; }
  bool drawsByKey() const { return byKey; }

  /// The two parts of a rectangle of at least two pairs.
  std::pair<Rectangle, Rectangle> of(const Rectangle &rectangle) const;

private:
  /// A list searched at position // divisor + offset.
  struct Search {
    bool ofQuery = false;
    ListRef list;
    int64_t divisor = 1, offset = 0;
    std::optional<int64_t> cutIn(const Range &range) const;
  };
  void look(const Expr &expr);

  bool byQuery = false, byKey = false;
  std::vector<Search> searches;
};

/// Where it may change in the course of a range of queries (Op::Query) or keys (Op::Key) what the
/// predicate compares with numbers of that axis alone: ascending positions after the first. Hints:
/// not all such places, the first thousand or so.
std::vector<int64_t> bordersIn(const Expr &predicate, Op axis, const Range &range);

} // namespace sparsec
